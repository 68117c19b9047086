# Two queues, as a message is what its queue says it is: webhooks count by their signature alone, and what lies in
# the queue of EC2's events is believed, so that only EventBridge may write there.

data "aws_caller_identity" "current" {}

locals {
  queues = toset(["webhooks", "ec2-events"])

  four_days     = 4 * 24 * 60 * 60
  fourteen_days = 14 * 24 * 60 * 60

  # The most that SQS takes; the provider's default is a quarter of it. GitHub's webhooks have up to 25 MB.
  one_mebibyte = 1024 * 1024
}

resource "aws_sqs_queue" "queue" {
  for_each = local.queues

  name                       = "${var.name}-${each.key}"
  max_message_size           = local.one_mebibyte
  message_retention_seconds  = local.four_days
  visibility_timeout_seconds = 30
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true
  tags                       = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead[each.key].arn
    maxReceiveCount     = var.max_receive_count
  })
}

# A message keeps the time at which it was first sent, so that it must be kept for longer here.
resource "aws_sqs_queue" "dead" {
  for_each = local.queues

  name                      = "${var.name}-${each.key}-dead"
  max_message_size          = local.one_mebibyte
  message_retention_seconds = local.fourteen_days
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  for_each = local.queues

  queue_url = aws_sqs_queue.dead[each.key].id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.queue[each.key].arn]
  })
}

locals {
  only_encrypted = {
    Sid       = "OnlyEncrypted"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:*"
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }

  from_rules = {
    Sid       = "FromTheRules"
    Effect    = "Allow"
    Principal = { Service = "events.amazonaws.com" }
    Action    = "sqs:SendMessage"
    Condition = {
      ArnEquals    = { "aws:SourceArn" = [for event in sort(var.events) : aws_cloudwatch_event_rule.ec2[event].arn] }
      StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id }
    }
  }

  # A role of this account may send by its own policy, whatever a queue's policy allows: only a denial keeps the
  # others out.
  nobody_else = {
    webhooks = {
      ArnNotEquals = { "aws:PrincipalArn" = concat([aws_iam_role.gateway.arn], var.operator_role_arns) }
    }
    ec2-events = merge(
      { Bool = { "aws:PrincipalIsAWSService" = "false" } },
      length(var.operator_role_arns) > 0 ? { ArnNotEquals = { "aws:PrincipalArn" = var.operator_role_arns } } : {},
    )
  }

  source = {
    webhooks = {
      Sid       = "FromTheGateway"
      Effect    = "Allow"
      Principal = { AWS = aws_iam_role.gateway.arn }
      Action    = "sqs:SendMessage"
    }
    ec2-events = local.from_rules
  }
}

resource "aws_sqs_queue_policy" "queue" {
  for_each = local.queues

  queue_url = aws_sqs_queue.queue[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in [
        local.source[each.key],
        {
          Sid       = "NobodyElse"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:SendMessage"
          Condition = local.nobody_else[each.key]
        },
        local.only_encrypted,
      ] : merge(statement, { Resource = aws_sqs_queue.queue[each.key].arn })
    ]
  })
}

# The controller puts there what it cannot read, by its role's policy; EventBridge what it cannot deliver.
resource "aws_sqs_queue_policy" "dead" {
  for_each = local.queues

  queue_url = aws_sqs_queue.dead[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in concat(each.key == "ec2-events" ? [local.from_rules] : [], [local.only_encrypted]) :
      merge(statement, { Resource = aws_sqs_queue.dead[each.key].arn })
    ]
  })
}

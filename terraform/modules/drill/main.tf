# An interruption on purpose: one spot instance of the stack, which somebody marked for it.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region

  instances   = "arn:${local.partition}:ec2:${local.region}:${local.account}:instance/*"
  experiments = "arn:${local.partition}:fis:${local.region}:${local.account}:experiment/*"

  stack_key = "${var.tag_prefix}stack-name"
  # As `reprise interrupt` writes it.
  drill_key = "reprise-drill"
}

# What the Fault Injection Service may do.
resource "aws_iam_role" "drill" {
  name                 = "${var.name}-drill"
  description          = "Interrupts a spot instance of the stack ${var.name} that is marked for it"
  max_session_duration = 3600
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "fis.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = local.experiments }
      }
    }]
  })
}

resource "aws_iam_role_policy" "drill" {
  #checkov:skip=CKV_AWS_355:EC2's descriptions know no resources; the interruption does, and names them.
  name = "drill"
  role = aws_iam_role.drill.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "FindTheTarget"
        Effect   = "Allow"
        Action   = "ec2:DescribeInstances"
        Resource = "*"
      },
      # Whatever the template says: nothing else is ever interrupted.
      {
        Sid      = "InterruptWhatIsMarked"
        Effect   = "Allow"
        Action   = "ec2:SendSpotInstanceInterruptions"
        Resource = local.instances
        Condition = {
          StringEquals = {
            "aws:ResourceTag/${local.stack_key}" = var.name
            "aws:ResourceTag/${local.drill_key}" = "true"
          }
        }
      },
    ]
  })
}

resource "aws_fis_experiment_template" "interruption" {
  description = "EC2 takes one marked spot instance of the stack ${var.name}, with two minutes' notice"
  role_arn    = aws_iam_role.drill.arn
  tags        = merge(var.tags, { Name = "${var.name}-interruption" })

  action {
    name      = "interrupt"
    action_id = "aws:ec2:send-spot-instance-interruptions"

    # The shortest that there is: the notice comes at once.
    parameter {
      key   = "durationBeforeInterruption"
      value = "PT2M"
    }

    target {
      key   = "SpotInstances"
      value = "machine"
    }
  }

  target {
    name           = "machine"
    resource_type  = "aws:ec2:spot-instance"
    selection_mode = "COUNT(1)"

    resource_tag {
      key   = local.stack_key
      value = var.name
    }

    resource_tag {
      key   = local.drill_key
      value = "true"
    }

    filter {
      path   = "State.Name"
      values = ["running"]
    }
  }

  # It is over at once: there is nothing to stop.
  stop_condition {
    source = "none"
  }
}

# What whoever calls `reprise interrupt` may do beside looking.
resource "aws_iam_policy" "operator" {
  #checkov:skip=CKV_AWS_355:EC2's descriptions know no resources; every change names them.
  name        = "${var.name}-drill-operator"
  description = "May interrupt a spot instance of the stack ${var.name} on purpose"
  tags        = var.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "BeginTheDrill"
        Effect = "Allow"
        Action = "fis:StartExperiment"
        Resource = [
          "arn:${local.partition}:fis:${local.region}:${local.account}:experiment-template/${aws_fis_experiment_template.interruption.id}",
          local.experiments,
        ]
      },
      {
        Sid      = "WatchTheDrill"
        Effect   = "Allow"
        Action   = "fis:GetExperiment"
        Resource = local.experiments
      },
      {
        Sid      = "MarkItsTarget"
        Effect   = "Allow"
        Action   = "ec2:CreateTags"
        Resource = local.instances
        Condition = {
          StringEquals                = { "aws:ResourceTag/${local.stack_key}" = var.name }
          "ForAllValues:StringEquals" = { "aws:TagKeys" = [local.drill_key] }
          Null                        = { "aws:TagKeys" = "false" }
        }
      },
      {
        Sid      = "LookAtMachines"
        Effect   = "Allow"
        Action   = ["ec2:DescribeInstances", "ec2:DescribeSpotInstanceRequests"]
        Resource = "*"
      },
      # An account that never used the service has no such role yet.
      {
        Sid       = "LetTheServiceBegin"
        Effect    = "Allow"
        Action    = "iam:CreateServiceLinkedRole"
        Resource  = "arn:${local.partition}:iam::${local.account}:role/aws-service-role/fis.amazonaws.com/*"
        Condition = { StringEquals = { "iam:AWSServiceName" = "fis.amazonaws.com" } }
      },
    ]
  })
}

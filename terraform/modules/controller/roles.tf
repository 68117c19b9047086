locals {
  by_ecs = {
    Effect    = "Allow"
    Action    = "sts:AssumeRole"
    Principal = { Service = "ecs-tasks.amazonaws.com" }
  }

  # So that no task of another account's has ECS take the role.
  by_our_ecs = merge(local.by_ecs, {
    Condition = {
      StringEquals = { "aws:SourceAccount" = local.account }
      ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${local.region}:${local.account}:*" }
    }
  })
}

# What ECS needs to start a replica.
resource "aws_iam_role" "execution" {
  name               = "${var.name}-controller-start"
  description        = "ECS starts the controllers of the stack ${var.name}"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [local.by_ecs] })
  tags               = var.tags
}

locals {
  execution = concat(
    [
      {
        Sid      = "WriteTheLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/reprise/${var.name}/controller:*"
      },
      {
        Sid      = "ReadTheSecrets"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = distinct([var.github.private_key_arn, var.github.webhook_secret_arn])
      },
    ],
    length(var.secrets_kms_key_arns) == 0 ? [] : [{
      Sid       = "DecryptTheSecrets"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = var.secrets_kms_key_arns
      Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com" } }
    }],
    [for arn in var.image_repository_arn[*] : {
      Sid      = "PullTheImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = arn
    }],
    # It knows no resources.
    [for arn in var.image_repository_arn[*] : {
      Sid      = "SignInToTheRegistry"
      Effect   = "Allow"
      Action   = "ecr:GetAuthorizationToken"
      Resource = "*"
    }],
  )
}

resource "aws_iam_role_policy" "execution" {
  name   = "start"
  role   = aws_iam_role.execution.name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.execution })
}

# What a controller may do.
resource "aws_iam_role" "controller" {
  name               = "${var.name}-controller"
  description        = "Controllers of the stack ${var.name}"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [local.by_our_ecs] })
  tags               = var.tags
}

locals {
  ec2 = "arn:${local.partition}:ec2:${local.region}"
  own = "${local.ec2}:${local.account}"

  stack_key = "${var.tag_prefix}stack-name"

  always = [
    {
      Sid      = "TakeMessages"
      Effect   = "Allow"
      Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
      Resource = [var.queues.webhooks.arn, var.queues.ec2_events.arn]
    },
    {
      Sid      = "PutAsideWhatCannotBeRead"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = [var.queues.webhooks_dead_letters.arn, var.queues.ec2_events_dead_letters.arn]
    },
    # For /metrics: nothing is decided by it.
    {
      Sid    = "CountMessages"
      Effect = "Allow"
      Action = "sqs:GetQueueAttributes"
      Resource = [
        var.queues.webhooks.arn,
        var.queues.ec2_events.arn,
        var.queues.webhooks_dead_letters.arn,
        var.queues.ec2_events_dead_letters.arn,
      ]
    },
    {
      Sid    = "KeepTheLedger"
      Effect = "Allow"
      Action = [
        "dynamodb:DescribeTable",
        "dynamodb:DescribeTimeToLive",
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "dynamodb:ConditionCheckItem",
      ]
      Resource = var.ledger.arn
    },
    {
      Sid      = "FindWhatIsDue"
      Effect   = "Allow"
      Action   = "dynamodb:Query"
      Resource = "${var.ledger.arn}/index/due"
    },
  ]

  # EC2's descriptions know no resources.
  watch = {
    Sid    = "LookAtInstances"
    Effect = "Allow"
    Action = concat(
      ["ec2:DescribeInstances", "ec2:DescribeSpotInstanceRequests"],
      var.fleet == null ? [] : ["ec2:DescribeImages", "ec2:DescribeInstanceTypes", "ec2:DescribeSubnets"],
    )
    Resource = "*"
  }

  ledger_key = [for arn in compact([var.ledger.kms_key_arn]) : {
    Sid       = "UseTheLedgersKey"
    Effect    = "Allow"
    Action    = ["kms:Decrypt", "kms:DescribeKey"]
    Resource  = arn
    Condition = { StringEquals = { "kms:ViaService" = "dynamodb.${local.region}.amazonaws.com" } }
  }]

  ask = length(var.ask_lambda_arns) == 0 ? [] : [{
    Sid      = "AskEndpoints"
    Effect   = "Allow"
    Action   = "lambda:InvokeFunction"
    Resource = var.ask_lambda_arns
  }]

  # What it may do there stands in those roles.
  elsewhere = length(var.region_role_arns) == 0 ? [] : [{
    Sid      = "WorkInOtherRegions"
    Effect   = "Allow"
    Action   = "sts:AssumeRole"
    Resource = var.region_role_arns
  }]

  launch_template = "${local.own}:launch-template/${try(var.fleet.launch_template_id, "none")}"

  # A fleet of the type instant is checked as CreateFleet and again as RunInstances, over everything that it uses.
  launch = [
    {
      Sid      = "LaunchFromOurTemplate"
      Effect   = "Allow"
      Action   = ["ec2:CreateFleet", "ec2:RunInstances"]
      Resource = local.launch_template
    },
    {
      Sid    = "LaunchIntoOurSubnets"
      Effect = "Allow"
      Action = ["ec2:CreateFleet", "ec2:RunInstances"]
      Resource = concat(
        [for subnet in try(concat(var.fleet.subnets, var.fleet.private_subnets), []) : "${local.own}:subnet/${subnet}"],
        ["${local.own}:security-group/${try(var.fleet.security_group_id, "none")}"],
        ["${local.ec2}::image/*", "${local.ec2}::snapshot/*"],
      )
    },
    {
      Sid       = "LaunchWithOurTag"
      Effect    = "Allow"
      Action    = ["ec2:CreateFleet", "ec2:RunInstances"]
      Resource  = "${local.own}:instance/*"
      Condition = { StringEquals = { "aws:RequestTag/${local.stack_key}" = var.name } }
    },
    {
      Sid      = "LaunchWhatBelongsToAnInstance"
      Effect   = "Allow"
      Action   = ["ec2:CreateFleet", "ec2:RunInstances"]
      Resource = [for kind in ["fleet", "network-interface", "spot-instances-request", "volume"] : "${local.own}:${kind}/*"]
    },
    # Whoever names no template, or another one, launches nothing.
    {
      Sid      = "NothingWithoutOurTemplate"
      Effect   = "Deny"
      Action   = "ec2:RunInstances"
      Resource = "${local.own}:instance/*"
      Condition = {
        ArnNotEquals = { "ec2:LaunchTemplate" = local.launch_template }
      }
    },
    {
      Sid      = "TagAtTheLaunch"
      Effect   = "Allow"
      Action   = "ec2:CreateTags"
      Resource = "${local.own}:instance/*"
      Condition = {
        StringEquals = {
          "ec2:CreateAction"                  = ["CreateFleet", "RunInstances"]
          "aws:RequestTag/${local.stack_key}" = var.name
        }
        # No instance begins its life as an interrupted one.
        Null = { "aws:RequestTag/${var.tag_prefix}workflow-job-interrupted" = "true" }
      }
    },
    {
      Sid      = "SayWhichJobAnInstanceHas"
      Effect   = "Allow"
      Action   = "ec2:CreateTags"
      Resource = "${local.own}:instance/*"
      Condition = {
        StringEquals                = { "aws:ResourceTag/${local.stack_key}" = var.name }
        "ForAllValues:StringEquals" = { "aws:TagKeys" = [for key in ["id", "started"] : "${var.tag_prefix}workflow-job-${key}"] }
        Null                        = { "aws:TagKeys" = "false" }
      }
    },
    {
      Sid       = "EndInstancesOfTheStackAndKeepTheirLastWords"
      Effect    = "Allow"
      Action    = ["ec2:TerminateInstances", "ec2:GetConsoleOutput"]
      Resource  = "${local.own}:instance/*"
      Condition = { StringEquals = { "aws:ResourceTag/${local.stack_key}" = var.name } }
    },
    {
      Sid       = "PassTheRunnersRole"
      Effect    = "Allow"
      Action    = "iam:PassRole"
      Resource  = try(var.fleet.role_arn, "none")
      Condition = { StringEquals = { "iam:PassedToService" = "ec2.amazonaws.com" } }
    },
  ]

  # By its name: whether there is one is known before it is made.
  hand_over = [for name in compact([try(var.fleet.table_name, null)]) : {
    Sid      = "HandRunnersTheirConfiguration"
    Effect   = "Allow"
    Action   = ["dynamodb:DescribeTimeToLive", "dynamodb:BatchWriteItem"]
    Resource = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${name}"
  }]
}

resource "aws_iam_role_policy" "controller" {
  #checkov:skip=CKV_AWS_355:Of what names no resource, only EC2's descriptions are allowed, which know none.
  #checkov:skip=CKV_AWS_290:Every change is bound by a resource, a tag or a launch template; the table of tests says how.
  name = "controller"
  role = aws_iam_role.controller.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.always,
      [local.watch],
      local.ledger_key,
      local.ask,
      local.elsewhere,
      [for statement in local.launch : statement if var.fleet != null],
      local.hand_over,
    )
  })
}

data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.region

  port = 9464

  fleet_settings = var.fleet == null ? { FLEET__ENABLED = "false" } : merge(
    {
      FLEET__STACK           = var.name
      FLEET__LAUNCH_TEMPLATE = var.fleet.launch_template_id
      FLEET__SUBNETS         = jsonencode(var.fleet.subnets)
      FLEET__PRIVATE_SUBNETS = jsonencode(var.fleet.private_subnets)
    },
    var.fleet.table_name == null ? {} : {
      RUNNER__TABLE   = var.fleet.table_name
      RUNNER__ROLE_ID = var.fleet.role_id
    },
  )

  settings = merge(
    {
      GITHUB__APP_ID                  = tostring(var.github.app_id)
      GITHUB__REPOSITORIES            = jsonencode(var.github.repositories)
      AWS__REGIONS                    = "[{ region = \"${local.region}\", account = \"${local.account}\" }]"
      AWS__REQUEST_RATE_PERCENT       = tostring(floor(100 / var.replicas))
      QUEUES__WEBHOOKS                = var.queues.webhooks.url
      QUEUES__EC2_EVENTS              = var.queues.ec2_events.url
      QUEUES__WEBHOOKS_DEAD_LETTERS   = var.queues.webhooks_dead_letters.url
      QUEUES__EC2_EVENTS_DEAD_LETTERS = var.queues.ec2_events_dead_letters.url
      STORE__KIND                     = "dynamodb"
      STORE__TABLE                    = var.ledger.name
      TAGS__PREFIX                    = var.tag_prefix
      HTTP__LISTEN                    = length(var.scraped_from) > 0 ? "0.0.0.0:${local.port}" : "127.0.0.1:${local.port}"
    },
    local.fleet_settings,
    var.settings,
  )

  container = {
    name                   = "controller"
    image                  = var.image
    essential              = true
    readonlyRootFilesystem = true
    user                   = "65532:65532"
    linuxParameters        = { capabilities = { drop = ["ALL"] }, initProcessEnabled = false }
    portMappings           = [{ containerPort = local.port, hostPort = local.port, protocol = "tcp" }]

    # The controller drains for 20 seconds.
    stopTimeout = 60

    environment = concat(
      [{ name = "REPRISE_CONFIG", value = var.config_path }],
      [for key in sort(keys(local.settings)) : { name = "REPRISE__${key}", value = local.settings[key] }],
    )

    secrets = [
      { name = "REPRISE__GITHUB__PRIVATE_KEY", valueFrom = var.github.private_key_arn },
      { name = "REPRISE__GITHUB__WEBHOOK_SECRETS", valueFrom = var.github.webhook_secret_arn },
    ]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.controller.name
        awslogs-region        = local.region
        awslogs-stream-prefix = "controller"
      }
    }
  }

  health_check = length(var.health_check) == 0 ? {} : {
    healthCheck = { command = var.health_check, interval = 10, timeout = 5, retries = 3, startPeriod = 30 }
  }
}

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:Container Insights costs by the metric; the service's own metrics, which cost nothing, tell how many replicas run.
  name = var.name
  tags = var.tags
}

resource "aws_ecs_task_definition" "controller" {
  family                   = "${var.name}-controller"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.size.cpu
  memory                   = var.size.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.controller.arn
  container_definitions    = jsonencode([merge(local.container, local.health_check)])
  tags                     = var.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }
}

# New replicas run before old ones end, and those that never get healthy leave the old ones in place.
resource "aws_ecs_service" "controller" {
  name                               = "controller"
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.controller.arn
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  desired_count                      = var.replicas
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  tags                               = var.tags

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    #checkov:skip=CKV_AWS_333:Only where assign_public_ip says so, for subnets without a NAT gateway; nothing comes in either way.
    subnets          = var.subnets
    security_groups  = [aws_security_group.controller.id]
    assign_public_ip = var.assign_public_ip
  }

  # ECS pulls the image and reads the secrets with them, and a replica without rights ends at once.
  depends_on = [aws_iam_role_policy.execution, aws_iam_role_policy.controller]
}

resource "aws_security_group" "controller" {
  name_prefix = "${var.name}-controller-"
  description = "Controllers of the stack ${var.name}"
  vpc_id      = var.vpc_id
  tags        = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = { v4 = { cidr_ipv4 = "0.0.0.0/0", cidr_ipv6 = null }, v6 = { cidr_ipv4 = null, cidr_ipv6 = "::/0" } }

  security_group_id = aws_security_group.controller.id
  description       = "GitHub and AWS"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = each.value.cidr_ipv4
  cidr_ipv6         = each.value.cidr_ipv6
}

resource "aws_vpc_security_group_ingress_rule" "metrics" {
  # By number, as a group that is made with this module has no id at plan.
  for_each = { for number, group in var.scraped_from : tostring(number) => group }

  security_group_id            = aws_security_group.controller.id
  description                  = "Prometheus reads /metrics"
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
  referenced_security_group_id = each.value
}

# Of the class Standard, as another has no metric filters and the alarm on exhausted retries is one.
resource "aws_cloudwatch_log_group" "controller" {
  #checkov:skip=CKV_AWS_158:Encrypted with a key that AWS owns; no secret is ever logged.
  #checkov:skip=CKV_AWS_338:What was decided is in the ledger for five weeks; the time is a variable.
  name              = "/reprise/${var.name}/controller"
  log_group_class   = "STANDARD"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

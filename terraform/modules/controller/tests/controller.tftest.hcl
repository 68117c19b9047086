mock_provider "aws" {
  source = "../../checks/mocks"
}

run "runs_two_replicas_that_are_replaced_one_after_the_other" {
  assert {
    condition     = aws_ecs_service.controller.desired_count == 2 && aws_ecs_service.controller.launch_type == "FARGATE"
    error_message = "There are two replicas on Fargate."
  }

  assert {
    condition     = aws_ecs_service.controller.deployment_minimum_healthy_percent == 100 && aws_ecs_service.controller.deployment_maximum_percent == 200
    error_message = "New ones run before old ones end."
  }

  assert {
    condition     = aws_ecs_service.controller.deployment_circuit_breaker[0].enable && aws_ecs_service.controller.deployment_circuit_breaker[0].rollback
    error_message = "What does not start is taken back."
  }

  assert {
    condition     = aws_ecs_task_definition.controller.runtime_platform[0].cpu_architecture == "X86_64"
    error_message = "The architecture is that of CI's image."
  }

  assert {
    condition     = !aws_ecs_service.controller.network_configuration[0].assign_public_ip
    error_message = "Controllers have no public addresses unless asked."
  }
}

run "runs_the_controller_with_nothing_that_it_does_not_need" {
  assert {
    condition     = jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].readonlyRootFilesystem && jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].user == "65532:65532"
    error_message = "It writes no file and is not root."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].linuxParameters.capabilities.drop == ["ALL"]
    error_message = "It has no capabilities."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].stopTimeout > 20
    error_message = "It may drain."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].logConfiguration.options.awslogs-group == aws_cloudwatch_log_group.controller.name
    error_message = "It logs to its group."
  }
}

run "asks_the_controller_for_its_health_by_its_own_program" {
  assert {
    condition     = jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].healthCheck == { command = ["CMD", "/reprise-controller", "--check-health"], interval = 10, timeout = 5, retries = 3, startPeriod = 30 }
    error_message = "ECS asks the program that the image has."
  }
}

run "asks_nobody_where_the_health_check_is_empty" {
  variables {
    health_check = []
  }

  assert {
    condition     = !can(jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].healthCheck)
    error_message = "There is no health check."
  }
}

run "takes_secrets_from_secrets_manager_alone" {
  assert {
    condition = { for secret in jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].secrets : secret.name => secret.valueFrom } == {
      REPRISE__GITHUB__PRIVATE_KEY     = var.github.private_key_arn
      REPRISE__GITHUB__WEBHOOK_SECRETS = var.github.webhook_secret_arn
    }
    error_message = "Key and secret come by reference."
  }

  assert {
    condition     = length([for variable in jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].environment : variable if length(regexall("KEY|SECRET|TOKEN", variable.name)) > 0]) == 0
    error_message = "Nothing secret stands in the task definition."
  }
}

run "configures_a_fleet" {
  assert {
    condition = { for variable in jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].environment : variable.name => variable.value } == {
      REPRISE_CONFIG                           = "/dev/null"
      REPRISE__AWS__REGIONS                    = "[{ region = \"eu-west-1\", account = \"123456789012\" }]"
      REPRISE__AWS__REQUEST_RATE_PERCENT       = "50"
      REPRISE__FLEET__LAUNCH_TEMPLATE          = "lt-0123456789abcdef0"
      REPRISE__FLEET__PRIVATE_SUBNETS          = "[\"subnet-0123456789abcdef2\"]"
      REPRISE__FLEET__STACK                    = "production"
      REPRISE__FLEET__SUBNETS                  = "[\"subnet-0123456789abcdef0\",\"subnet-0123456789abcdef1\"]"
      REPRISE__GITHUB__APP_ID                  = "12345"
      REPRISE__GITHUB__REPOSITORIES            = "[\"acme/*\"]"
      REPRISE__HTTP__LISTEN                    = "127.0.0.1:9464"
      REPRISE__QUEUES__EC2_EVENTS              = var.queues.ec2_events.url
      REPRISE__QUEUES__EC2_EVENTS_DEAD_LETTERS = var.queues.ec2_events_dead_letters.url
      REPRISE__QUEUES__WEBHOOKS                = var.queues.webhooks.url
      REPRISE__QUEUES__WEBHOOKS_DEAD_LETTERS   = var.queues.webhooks_dead_letters.url
      REPRISE__RUNNER__ROLE_ID                 = "AROAEXAMPLEEXAMPLE123"
      REPRISE__RUNNER__TABLE                   = "reprise-runners"
      REPRISE__STORE__KIND                     = "dynamodb"
      REPRISE__STORE__TABLE                    = "reprise"
      REPRISE__TAGS__PREFIX                    = "runs-on-"
    }
    error_message = "The environment is the controller's configuration."
  }
}

run "launches_nothing_beside_another_fleet" {
  variables {
    fleet = null
  }

  assert {
    condition     = contains(jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].environment, { name = "REPRISE__FLEET__ENABLED", value = "false" })
    error_message = "The fleet is switched off."
  }

  assert {
    condition     = length(regexall("CreateFleet|RunInstances|TerminateInstances|CreateTags|PassRole|BatchWriteItem", aws_iam_role_policy.controller.policy)) == 0
    error_message = "The role cannot launch or end anything either."
  }
}

run "takes_more_settings_a_health_check_and_prometheus" {
  variables {
    settings             = { RETRY__EVIDENCE = "proof", AWS__REQUEST_RATE_PERCENT = "25" }
    health_check         = ["CMD", "/healthy"]
    scraped_from         = ["sg-0123456789abcdef1"]
    ask_lambda_arns      = ["arn:aws:lambda:eu-west-1:123456789012:function:flaky-judge"]
    region_role_arns     = ["arn:aws:iam::123456789012:role/production-us-east-1"]
    secrets_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"]

    ledger = {
      name        = "reprise"
      arn         = "arn:aws:dynamodb:eu-west-1:123456789012:table/reprise"
      kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-1111-1111-111111111111"
    }
  }

  assert {
    condition     = alltrue([for setting in [{ name = "REPRISE__RETRY__EVIDENCE", value = "proof" }, { name = "REPRISE__AWS__REQUEST_RATE_PERCENT", value = "25" }, { name = "REPRISE__HTTP__LISTEN", value = "0.0.0.0:9464" }] : contains(jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].environment, setting)])
    error_message = "Settings go before the module's."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].healthCheck.command == ["CMD", "/healthy"]
    error_message = "ECS runs the health check."
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.metrics : [rule.from_port, rule.to_port, rule.referenced_security_group_id]] == [[9464, 9464, "sg-0123456789abcdef1"]]
    error_message = "Prometheus alone comes in, to the metrics."
  }
}

run "lets_nothing_in_by_itself" {
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.metrics) == 0 && length(aws_security_group.controller.ingress) == 0
    error_message = "Nothing comes in."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.https : rule.from_port == 443 && rule.to_port == 443])
    error_message = "Controllers speak TLS alone."
  }
}

run "tells_operators" {
  assert {
    condition     = { for key, alarm in aws_cloudwatch_metric_alarm.oldest_message : key => [alarm.metric_name, alarm.dimensions.QueueName, alarm.threshold, alarm.statistic] } == { webhooks = ["ApproximateAgeOfOldestMessage", "production-webhooks", 300, "Maximum"], ec2-events = ["ApproximateAgeOfOldestMessage", "production-ec2-events", 300, "Maximum"] }
    error_message = "The age of each queue's oldest message is watched."
  }

  assert {
    condition     = { for key, alarm in aws_cloudwatch_metric_alarm.dead_letters : key => [alarm.dimensions.QueueName, alarm.threshold, alarm.comparison_operator] } == { webhooks = ["production-webhooks-dead", 0, "GreaterThanThreshold"], ec2-events = ["production-ec2-events-dead", 0, "GreaterThanThreshold"] }
    error_message = "A single dead letter is told of."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.no_replica.statistic == "SampleCount" && aws_cloudwatch_metric_alarm.no_replica.threshold == 1 && aws_cloudwatch_metric_alarm.no_replica.comparison_operator == "LessThanThreshold" && aws_cloudwatch_metric_alarm.no_replica.treat_missing_data == "breaching"
    error_message = "That no controller runs is told of, though nothing reports then."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.no_sweep.metric_name == aws_cloudwatch_log_metric_filter.swept.metric_transformation[0].name && aws_cloudwatch_metric_alarm.no_sweep.treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.no_sweep.comparison_operator == "LessThanThreshold" && aws_cloudwatch_metric_alarm.no_sweep.threshold == 1
    error_message = "That no controller does its work is told of, though some may run."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.failed.metric_name == aws_cloudwatch_log_metric_filter.failed.metric_transformation[0].name && aws_cloudwatch_metric_alarm.failed.threshold == 0 && aws_cloudwatch_metric_alarm.failed.evaluation_periods * aws_cloudwatch_metric_alarm.failed.period == 900
    error_message = "Messages that fail for a quarter of an hour are told of, which their age does not show."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.exhausted.metric_name == aws_cloudwatch_log_metric_filter.exhausted.metric_transformation[0].name && aws_cloudwatch_metric_alarm.exhausted.namespace == aws_cloudwatch_log_metric_filter.exhausted.metric_transformation[0].namespace && aws_cloudwatch_metric_alarm.exhausted.threshold == 0
    error_message = "A single exhausted retry is told of."
  }

  assert {
    condition     = alltrue([for filter in [aws_cloudwatch_log_metric_filter.exhausted, aws_cloudwatch_log_metric_filter.failed, aws_cloudwatch_log_metric_filter.swept] : filter.log_group_name == aws_cloudwatch_log_group.controller.name]) && aws_cloudwatch_log_group.controller.log_group_class == "STANDARD"
    error_message = "The filters read the controllers' log, of a class that has filters."
  }

  assert {
    condition     = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.oldest_message), values(aws_cloudwatch_metric_alarm.dead_letters), [aws_cloudwatch_metric_alarm.no_replica, aws_cloudwatch_metric_alarm.no_sweep, aws_cloudwatch_metric_alarm.failed, aws_cloudwatch_metric_alarm.exhausted]) : alarm.alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:operators"])])
    error_message = "Every alarm is heard."
  }
}

run "refuses_a_name_with_capitals" {
  command = plan

  variables {
    name = "Production"
  }

  expect_failures = [var.name]
}

run "refuses_the_newest_image" {
  command = plan

  variables {
    image = "reprise-controller:latest"
  }

  expect_failures = [var.image]
}

run "refuses_an_image_without_a_version" {
  command = plan

  variables {
    image = "reprise-controller"
  }

  expect_failures = [var.image]
}

run "refuses_an_address_for_a_repository" {
  command = plan

  variables {
    image_repository_arn = "reprise-controller"
  }

  expect_failures = [var.image_repository_arn]
}

run "refuses_an_architecture_that_fargate_does_not_have" {
  command = plan

  variables {
    cpu_architecture = "RISCV64"
  }

  expect_failures = [var.cpu_architecture]
}

run "refuses_too_little_memory" {
  command = plan

  variables {
    size = { cpu = 256, memory = 256 }
  }

  expect_failures = [var.size]
}

run "refuses_no_replica" {
  command = plan

  variables {
    replicas = 0
  }

  expect_failures = [var.replicas]
}

run "refuses_a_vpc_by_its_name" {
  command = plan

  variables {
    vpc_id = "main"
  }

  expect_failures = [var.vpc_id]
}

run "refuses_no_subnet" {
  command = plan

  variables {
    subnets = []
  }

  expect_failures = [var.subnets]
}

run "refuses_a_health_check_without_its_kind" {
  command = plan

  variables {
    health_check = ["/healthy"]
  }

  expect_failures = [var.health_check]
}

run "refuses_secrets_by_their_values" {
  command = plan

  variables {
    github = { app_id = 1, private_key_arn = "not-a-key", webhook_secret_arn = "not-a-secret", repositories = ["acme/*"] }
  }

  expect_failures = [var.github]
}

run "refuses_to_serve_all_repositories" {
  command = plan

  variables {
    github = { app_id = 1, private_key_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a", webhook_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:b", repositories = [] }
  }

  expect_failures = [var.github]
}

run "refuses_a_fleet_without_subnets" {
  command = plan

  variables {
    fleet = { launch_template_id = "lt-0123456789abcdef0", role_arn = "arn:aws:iam::123456789012:role/production-runner", role_id = "AROAEXAMPLEEXAMPLE123", security_group_id = "sg-0123456789abcdef0", subnets = [] }
  }

  expect_failures = [var.fleet]
}

run "refuses_misspelt_settings" {
  command = plan

  variables {
    settings = { "retry.evidence" = "proof" }
  }

  expect_failures = [var.settings]
}

run "refuses_secrets_among_settings" {
  command = plan

  variables {
    settings = { API__TOKEN = "not-a-real-token" }
  }

  expect_failures = [var.settings]
}

run "refuses_a_path_from_nowhere" {
  command = plan

  variables {
    config_path = "controller.toml"
  }

  expect_failures = [var.config_path]
}

run "refuses_to_take_on_any_role" {
  command = plan

  variables {
    region_role_arns = ["arn:aws:iam::123456789012:role/*"]
  }

  expect_failures = [var.region_role_arns]
}

run "refuses_mail_addresses_for_topics" {
  command = plan

  variables {
    alarm_topic_arns = ["operators@example.com"]
  }

  expect_failures = [var.alarm_topic_arns]
}

run "refuses_to_be_told_of_held_messages" {
  command = plan

  variables {
    oldest_message_seconds = 60
  }

  expect_failures = [var.oldest_message_seconds]
}

run "refuses_a_retention_that_cloudwatch_does_not_know" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

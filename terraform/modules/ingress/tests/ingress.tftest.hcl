mock_provider "aws" {
  source = "../../checks/mocks"
}

override_resource {
  target = aws_sqs_queue.queue["webhooks"]
  values = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:production-webhooks"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/production-webhooks"
  }
}

override_resource {
  target = aws_sqs_queue.queue["ec2-events"]
  values = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:production-ec2-events"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/production-ec2-events"
  }
}

override_resource {
  target = aws_sqs_queue.dead["webhooks"]
  values = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:production-webhooks-dead"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/production-webhooks-dead"
  }
}

override_resource {
  target = aws_sqs_queue.dead["ec2-events"]
  values = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:production-ec2-events-dead"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/production-ec2-events-dead"
  }
}

override_resource {
  target = aws_iam_role.gateway
  values = {
    arn = "arn:aws:iam::123456789012:role/production-webhooks"
  }
}

override_resource {
  target = aws_cloudwatch_event_rule.ec2["interruption-warning"]
  values = {
    arn = "arn:aws:events:eu-west-1:123456789012:rule/production-interruption-warning"
  }
}

override_resource {
  target = aws_cloudwatch_event_rule.ec2["rebalance-recommendation"]
  values = {
    arn = "arn:aws:events:eu-west-1:123456789012:rule/production-rebalance-recommendation"
  }
}

override_resource {
  target = aws_cloudwatch_event_rule.ec2["state-change"]
  values = {
    arn = "arn:aws:events:eu-west-1:123456789012:rule/production-state-change"
  }
}

run "takes_webhooks_as_large_as_sqs_does" {
  assert {
    condition     = alltrue([for queue in concat(values(aws_sqs_queue.queue), values(aws_sqs_queue.dead)) : queue.max_message_size == 1048576])
    error_message = "Each queue takes 1 MiB."
  }
}

run "keeps_messages_for_four_days_and_dead_ones_for_longer" {
  assert {
    condition     = alltrue([for queue in aws_sqs_queue.queue : queue.message_retention_seconds == 345600])
    error_message = "Four days are kept."
  }

  assert {
    condition     = alltrue([for queue in aws_sqs_queue.dead : queue.message_retention_seconds == 1209600])
    error_message = "A dead letter keeps its first time: it must be kept for longer."
  }

  assert {
    condition     = alltrue([for queue in aws_sqs_queue.queue : queue.visibility_timeout_seconds == 30])
    error_message = "The controller deletes after 20 seconds, so that messages are hidden for 30."
  }

  assert {
    condition     = alltrue([for queue in merge(aws_sqs_queue.queue, { for key, dead in aws_sqs_queue.dead : "${key}-dead" => dead }) : queue.sqs_managed_sse_enabled])
    error_message = "Messages are encrypted."
  }
}

run "gives_each_queue_a_dead_letter_queue_of_its_own" {
  assert {
    condition = { for key, queue in aws_sqs_queue.queue : key => jsondecode(queue.redrive_policy) } == {
      for key in ["webhooks", "ec2-events"] : key => {
        deadLetterTargetArn = "arn:aws:sqs:eu-west-1:123456789012:production-${key}-dead"
        maxReceiveCount     = 20
      }
    }
    error_message = "After 20 receives a message goes to its queue's own dead letters."
  }

  assert {
    condition = { for key, policy in aws_sqs_queue_redrive_allow_policy.dead : key => jsondecode(policy.redrive_allow_policy) } == {
      for key in ["webhooks", "ec2-events"] : key => {
        redrivePermission = "byQueue"
        sourceQueueArns   = ["arn:aws:sqs:eu-west-1:123456789012:production-${key}"]
      }
    }
    error_message = "No other queue's messages go there."
  }

  # Each look at dead letters counts as a receive, so that these must not be moved on.
  assert {
    condition     = alltrue([for queue in aws_sqs_queue.dead : try(jsondecode(queue.redrive_policy).deadLetterTargetArn, null) == null])
    error_message = "Dead letters stay where they are."
  }
}

run "sends_webhooks_whole_with_three_headers" {
  assert {
    condition     = aws_apigatewayv2_integration.queue.integration_subtype == "SQS-SendMessage" && aws_apigatewayv2_integration.queue.request_parameters.QueueUrl == "https://sqs.eu-west-1.amazonaws.com/123456789012/production-webhooks"
    error_message = "Webhooks go to their queue."
  }

  assert {
    condition     = aws_apigatewayv2_integration.queue.request_parameters.MessageBody == "$request.body"
    error_message = "The body goes whole: a path into it is cut at 100 KB."
  }

  assert {
    condition = jsondecode(aws_apigatewayv2_integration.queue.request_parameters.MessageAttributes) == {
      "X-Hub-Signature-256" = { DataType = "String", StringValue = "$${request.header.X-Hub-Signature-256}" }
      "X-GitHub-Event"      = { DataType = "String", StringValue = "$${request.header.X-GitHub-Event}" }
      "X-GitHub-Delivery"   = { DataType = "String", StringValue = "$${request.header.X-GitHub-Delivery}" }
    }
    error_message = "The controller reads these three attributes."
  }

  assert {
    condition     = aws_apigatewayv2_integration.queue.credentials_arn == "arn:aws:iam::123456789012:role/production-webhooks"
    error_message = "The gateway sends with its role."
  }

  assert {
    condition     = aws_apigatewayv2_route.webhooks.route_key == "POST /webhooks" && endswith(output.webhook_url, "/webhooks")
    error_message = "GitHub posts to the address that is told."
  }

  assert {
    condition     = aws_apigatewayv2_integration.queue.timeout_milliseconds < 10000
    error_message = "GitHub waits for ten seconds."
  }
}

run "throttles_and_logs_without_what_is_secret" {
  assert {
    condition     = aws_apigatewayv2_stage.default.default_route_settings[0].throttling_rate_limit == 200 && aws_apigatewayv2_stage.default.default_route_settings[0].throttling_burst_limit == 1000
    error_message = "There is a limit."
  }

  assert {
    condition     = aws_apigatewayv2_stage.default.access_log_settings[0].destination_arn == aws_cloudwatch_log_group.access.arn
    error_message = "There is an access log."
  }

  assert {
    condition     = length(regexall("(?i)header|body|signature", aws_apigatewayv2_stage.default.access_log_settings[0].format)) == 0
    error_message = "Neither body nor signature is logged."
  }

  assert {
    condition     = aws_cloudwatch_log_group.access.retention_in_days == 30
    error_message = "The log expires."
  }
}

run "sends_interruption_warnings_alone" {
  assert {
    condition     = { for key, rule in aws_cloudwatch_event_rule.ec2 : key => jsondecode(rule.event_pattern) } == { interruption-warning = { source = ["aws.ec2"], "detail-type" = ["EC2 Spot Instance Interruption Warning"] } }
    error_message = "What the controller does not act on costs its messages."
  }

  assert {
    condition     = aws_cloudwatch_event_target.queue["interruption-warning"].arn == "arn:aws:sqs:eu-west-1:123456789012:production-ec2-events"
    error_message = "Events go to their own queue."
  }

  assert {
    condition     = aws_cloudwatch_event_target.queue["interruption-warning"].dead_letter_config[0].arn == "arn:aws:sqs:eu-west-1:123456789012:production-ec2-events-dead"
    error_message = "What cannot be delivered is kept."
  }

  assert {
    condition     = length(aws_cloudwatch_event_target.queue["interruption-warning"].input_transformer) == 0
    error_message = "Events come as they are."
  }
}

run "sends_the_other_events_when_asked" {
  variables {
    events             = ["interruption-warning", "rebalance-recommendation", "state-change"]
    operator_role_arns = ["arn:aws:iam::123456789012:role/operator"]
  }

  assert {
    condition     = toset([for rule in aws_cloudwatch_event_rule.ec2 : jsondecode(rule.event_pattern)["detail-type"][0]]) == toset(["EC2 Spot Instance Interruption Warning", "EC2 Instance Rebalance Recommendation", "EC2 Instance State-change Notification"])
    error_message = "All three have rules."
  }

  assert {
    condition     = length(jsondecode(aws_sqs_queue_policy.queue["ec2-events"].policy).Statement[0].Condition.ArnEquals["aws:SourceArn"]) == 3
    error_message = "The queue admits each of the rules."
  }
}

run "admits_one_source_to_each_queue" {
  assert {
    condition     = [for statement in jsondecode(aws_sqs_queue_policy.queue["webhooks"].policy).Statement : statement.Principal if statement.Effect == "Allow"] == [{ AWS = "arn:aws:iam::123456789012:role/production-webhooks" }]
    error_message = "The gateway alone sends webhooks."
  }

  assert {
    condition     = [for statement in jsondecode(aws_sqs_queue_policy.queue["ec2-events"].policy).Statement : statement.Principal if statement.Effect == "Allow"] == [{ Service = "events.amazonaws.com" }]
    error_message = "EventBridge alone sends events."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_policy.queue["ec2-events"].policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == ["arn:aws:events:eu-west-1:123456789012:rule/production-interruption-warning"]
    error_message = "Of EventBridge, our rule alone."
  }
}

run "refuses_a_name_with_capitals" {
  command = plan

  variables {
    name = "Production"
  }

  expect_failures = [var.name]
}

run "refuses_dead_letters_after_one_failure" {
  command = plan

  variables {
    max_receive_count = 1
  }

  expect_failures = [var.max_receive_count]
}

run "refuses_no_rate" {
  command = plan

  variables {
    throttle_rate = 0
  }

  expect_failures = [var.throttle_rate]
}

run "refuses_no_burst" {
  command = plan

  variables {
    throttle_burst = 0
  }

  expect_failures = [var.throttle_burst]
}

run "refuses_to_leave_warnings_out" {
  command = plan

  variables {
    events = ["state-change"]
  }

  expect_failures = [var.events]
}

run "refuses_events_that_nobody_knows" {
  command = plan

  variables {
    events = ["interruption-warning", "scheduled-event"]
  }

  expect_failures = [var.events]
}

run "refuses_every_role_as_an_operator" {
  command = plan

  variables {
    operator_role_arns = ["arn:aws:iam::123456789012:role/*"]
  }

  expect_failures = [var.operator_role_arns]
}

run "refuses_a_retention_that_cloudwatch_does_not_know" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

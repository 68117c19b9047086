locals {
  main_queues = { webhooks = var.queues.webhooks.name, ec2-events = var.queues.ec2_events.name }
  dead_queues = { webhooks = var.queues.webhooks_dead_letters.name, ec2-events = var.queues.ec2_events_dead_letters.name }

  # The ends that mean: it did not come back, and nobody works on it any more.
  exhausted = ["attempt-limit", "never-completed", "failed-again", "refused-*"]

  exhausted_pattern = format(
    "{ ($.decision = \"settled\" && (%s)) || $.decision = \"launch-given-up\" }",
    join(" || ", [for reason in local.exhausted : "$.reason = \"${reason}\""]),
  )
}

resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  for_each = local.main_queues

  alarm_name          = "${var.name}-${each.key}-oldest-message"
  alarm_description   = "Messages wait: do controllers run, and do AWS, GitHub and the ledger answer them? Their log says."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = each.value }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.oldest_message_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}

# SQS leaves a message that was received three times out of its age: one that fails again and again is seen here.
resource "aws_cloudwatch_log_metric_filter" "failed" {
  name           = "${var.name}-failed-messages"
  log_group_name = aws_cloudwatch_log_group.controller.name
  pattern        = "{ $.message = \"failed to deal with a message; it comes again\" }"

  metric_transformation {
    namespace     = "Reprise/${var.name}"
    name          = "FailedMessages"
    value         = "1"
    default_value = "0"
    unit          = "Count"
  }
}

resource "aws_cloudwatch_metric_alarm" "failed" {
  alarm_name          = "${var.name}-failed-messages"
  alarm_description   = "Messages fail again and again: do AWS, GitHub and the ledger answer? The log says why each failed."
  namespace           = aws_cloudwatch_log_metric_filter.failed.metric_transformation[0].namespace
  metric_name         = aws_cloudwatch_log_metric_filter.failed.metric_transformation[0].name
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = local.dead_queues

  alarm_name          = "${var.name}-${each.key}-dead-letters"
  alarm_description   = "A dead-letter queue is not empty, and nobody deals with what lies there: reprise queue dead list."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}

# Each running task gives its service one sample a minute, so that their number is the tasks'. None, no sample.
resource "aws_cloudwatch_metric_alarm" "no_replica" {
  alarm_name          = "${var.name}-no-healthy-replica"
  alarm_description   = "No controller runs: nothing is launched, and nothing comes back. The service's events say why."
  namespace           = "AWS/ECS"
  metric_name         = "CPUUtilization"
  dimensions          = { ClusterName = aws_ecs_cluster.this.name, ServiceName = aws_ecs_service.controller.name }
  statistic           = "SampleCount"
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}

# A replica that is replaced for ever as unhealthy runs, too. One that does its work sweeps each minute, and says so.
resource "aws_cloudwatch_log_metric_filter" "swept" {
  name           = "${var.name}-sweeps"
  log_group_name = aws_cloudwatch_log_group.controller.name
  pattern        = "{ $.message = \"swept\" }"

  metric_transformation {
    namespace = "Reprise/${var.name}"
    name      = "Sweeps"
    value     = "1"
    unit      = "Count"
  }
}

resource "aws_cloudwatch_metric_alarm" "no_sweep" {
  alarm_name          = "${var.name}-no-sweep"
  alarm_description   = "No controller has finished a sweep: none works, or EC2, GitHub or the ledger does not answer. The log says which."
  namespace           = aws_cloudwatch_log_metric_filter.swept.metric_transformation[0].namespace
  metric_name         = aws_cloudwatch_log_metric_filter.swept.metric_transformation[0].name
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 2
  datapoints_to_alarm = 2
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}

resource "aws_cloudwatch_log_metric_filter" "exhausted" {
  name           = "${var.name}-exhausted-retries"
  log_group_name = aws_cloudwatch_log_group.controller.name
  pattern        = local.exhausted_pattern

  metric_transformation {
    namespace     = "Reprise/${var.name}"
    name          = "ExhaustedRetries"
    value         = "1"
    default_value = "0"
    unit          = "Count"
  }
}

resource "aws_cloudwatch_metric_alarm" "exhausted" {
  alarm_name          = "${var.name}-exhausted-retries"
  alarm_description   = "Jobs did not come back, and nobody works on them any more: reprise retries list --state exhausted."
  namespace           = aws_cloudwatch_log_metric_filter.exhausted.metric_transformation[0].namespace
  metric_name         = aws_cloudwatch_log_metric_filter.exhausted.metric_transformation[0].name
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}

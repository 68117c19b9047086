locals {
  detail_types = {
    interruption-warning     = "EC2 Spot Instance Interruption Warning"
    rebalance-recommendation = "EC2 Instance Rebalance Recommendation"
    state-change             = "EC2 Instance State-change Notification"
  }
}

resource "aws_cloudwatch_event_rule" "ec2" {
  for_each = var.events

  name        = "${var.name}-${each.key}"
  description = "${local.detail_types[each.key]} to the queue of EC2's events"
  tags        = var.tags
  event_pattern = jsonencode({
    source        = ["aws.ec2"]
    "detail-type" = [local.detail_types[each.key]]
  })
}

# The event as it came: the controller reads no transformed one.
resource "aws_cloudwatch_event_target" "queue" {
  for_each = var.events

  rule = aws_cloudwatch_event_rule.ec2[each.key].name
  arn  = aws_sqs_queue.queue["ec2-events"].arn

  dead_letter_config {
    arn = aws_sqs_queue.dead["ec2-events"].arn
  }
}

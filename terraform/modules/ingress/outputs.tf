output "webhook_url" {
  description = "The webhook address for the GitHub App."
  value       = "${aws_apigatewayv2_api.webhooks.api_endpoint}/webhooks"
}

output "queues" {
  description = "The queues as the controller module takes them: of webhooks and ec2_events, and the dead-letter queues of both, each with url, arn and name."
  value = {
    for key, queue in {
      webhooks                = aws_sqs_queue.queue["webhooks"]
      ec2_events              = aws_sqs_queue.queue["ec2-events"]
      webhooks_dead_letters   = aws_sqs_queue.dead["webhooks"]
      ec2_events_dead_letters = aws_sqs_queue.dead["ec2-events"]
    } : key => { url = queue.url, arn = queue.arn, name = queue.name }
  }
}

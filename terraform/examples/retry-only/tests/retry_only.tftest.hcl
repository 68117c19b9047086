mock_provider "aws" {
  source = "../../checks/mocks"
}

override_resource {
  target = module.ingress.aws_sqs_queue.queue["webhooks"]
  values = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:reprise-webhooks"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/reprise-webhooks"
  }
}

override_resource {
  target = module.ingress.aws_sqs_queue.queue["ec2-events"]
  values = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:reprise-ec2-events"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/reprise-ec2-events"
  }
}

override_resource {
  target = module.ingress.aws_sqs_queue.dead["webhooks"]
  values = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:reprise-webhooks-dead"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/reprise-webhooks-dead"
  }
}

override_resource {
  target = module.ingress.aws_sqs_queue.dead["ec2-events"]
  values = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:reprise-ec2-events-dead"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/reprise-ec2-events-dead"
  }
}

override_resource {
  target = module.state.aws_dynamodb_table.ledger
  values = {
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/reprise"
  }
}

run "tells_the_address_for_the_app" {
  assert {
    condition     = output.webhook_url == "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/webhooks"
    error_message = "The App is told an address."
  }
}

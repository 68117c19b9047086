name    = "production"
image   = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/reprise-controller:1.0.0"
vpc_id  = "vpc-0123456789abcdef0"
subnets = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]

image_repository_arn = "arn:aws:ecr:eu-west-1:123456789012:repository/reprise-controller"
alarm_topic_arns     = ["arn:aws:sns:eu-west-1:123456789012:operators"]

github = {
  app_id             = 12345
  private_key_arn    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:reprise/app-key-AbCdEf"
  webhook_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:reprise/webhook-GhIjKl"
  repositories       = ["acme/*"]
}

queues = {
  webhooks = {
    url  = "https://sqs.eu-west-1.amazonaws.com/123456789012/production-webhooks"
    arn  = "arn:aws:sqs:eu-west-1:123456789012:production-webhooks"
    name = "production-webhooks"
  }
  ec2_events = {
    url  = "https://sqs.eu-west-1.amazonaws.com/123456789012/production-ec2-events"
    arn  = "arn:aws:sqs:eu-west-1:123456789012:production-ec2-events"
    name = "production-ec2-events"
  }
  webhooks_dead_letters = {
    url  = "https://sqs.eu-west-1.amazonaws.com/123456789012/production-webhooks-dead"
    arn  = "arn:aws:sqs:eu-west-1:123456789012:production-webhooks-dead"
    name = "production-webhooks-dead"
  }
  ec2_events_dead_letters = {
    url  = "https://sqs.eu-west-1.amazonaws.com/123456789012/production-ec2-events-dead"
    arn  = "arn:aws:sqs:eu-west-1:123456789012:production-ec2-events-dead"
    name = "production-ec2-events-dead"
  }
}

ledger = {
  name = "reprise"
  arn  = "arn:aws:dynamodb:eu-west-1:123456789012:table/reprise"
}

fleet = {
  launch_template_id = "lt-0123456789abcdef0"
  role_arn           = "arn:aws:iam::123456789012:role/production-runner"
  role_id            = "AROAEXAMPLEEXAMPLE123"
  table_name         = "reprise-runners"
  security_group_id  = "sg-0123456789abcdef0"
  subnets            = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  private_subnets    = ["subnet-0123456789abcdef2"]
}

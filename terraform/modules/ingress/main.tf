# GitHub's webhooks go from API Gateway to the queue without a program in between: ADR 28.

resource "aws_apigatewayv2_api" "webhooks" {
  name          = "${var.name}-webhooks"
  description   = "GitHub's webhooks to a queue"
  protocol_type = "HTTP"
  tags          = var.tags
}

resource "aws_apigatewayv2_integration" "queue" {
  api_id                 = aws_apigatewayv2_api.webhooks.id
  description            = "The body whole, and three headers as message attributes"
  integration_type       = "AWS_PROXY"
  integration_subtype    = "SQS-SendMessage"
  payload_format_version = "1.0"
  credentials_arn        = aws_iam_role.gateway.arn
  timeout_milliseconds   = 9000 # GitHub waits for ten seconds.

  request_parameters = {
    QueueUrl = aws_sqs_queue.queue["webhooks"].url

    # A path into the body would be cut at 100 KB, and what GitHub signed is the body as it came.
    MessageBody = "$request.body"

    MessageAttributes = jsonencode({
      for header in ["X-Hub-Signature-256", "X-GitHub-Event", "X-GitHub-Delivery"] :
      header => { DataType = "String", StringValue = "$${request.header.${header}}" }
    })
  }
}

resource "aws_apigatewayv2_route" "webhooks" {
  #checkov:skip=CKV_AWS_309:GitHub cannot sign for AWS. The controller believes a webhook by its HMAC alone.
  api_id             = aws_apigatewayv2_api.webhooks.id
  route_key          = "POST /webhooks"
  authorization_type = "NONE"
  target             = "integrations/${aws_apigatewayv2_integration.queue.id}"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.webhooks.id
  name        = "$default"
  auto_deploy = true
  tags        = var.tags

  default_route_settings {
    throttling_burst_limit = var.throttle_burst
    throttling_rate_limit  = var.throttle_rate
  }

  # Neither body nor signature.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      time               = "$context.requestTime"
      request            = "$context.requestId"
      from               = "$context.identity.sourceIp"
      route              = "$context.routeKey"
      status             = "$context.status"
      bytes              = "$context.responseLength"
      error              = "$context.error.message"
      integration_status = "$context.integration.status"
      integration_error  = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_158:Encrypted with a key that AWS owns; nothing in it is secret.
  #checkov:skip=CKV_AWS_338:Addresses and answers, of use for as long as GitHub keeps a delivery; the time is a variable.
  name              = "/reprise/${var.name}/webhooks"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_iam_role" "gateway" {
  name        = "${var.name}-webhooks"
  description = "API Gateway sends webhooks to their queue"
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "apigateway.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "gateway" {
  name = "send"
  role = aws_iam_role.gateway.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "SendWebhooks"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = aws_sqs_queue.queue["webhooks"].arn
    }]
  })
}

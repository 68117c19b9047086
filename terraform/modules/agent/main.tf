# What an instance may do: say of itself that EC2 takes it, and read what its runner starts with. A job runs with
# these rights too, so there is nothing else.

data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  regions = length(var.regions) > 0 ? var.regions : [data.aws_region.current.region]
  key     = "${var.tag_prefix}workflow-job-interrupted"

  tag_itself = {
    Sid    = "TagItselfAsInterrupted"
    Effect = "Allow"
    Action = "ec2:CreateTags"
    Resource = [
      for region in local.regions :
      "arn:${data.aws_partition.current.partition}:ec2:${region}:${data.aws_caller_identity.current.account_id}:instance/*"
    ]
    Condition = {
      StringEquals = {
        "aws:ARN"                     = "$${ec2:SourceInstanceARN}"
        "aws:RequestTag/${local.key}" = "true"
      }
      "ForAllValues:StringEquals" = { "aws:TagKeys" = [local.key] }
      # ForAllValues holds of no keys at all, too.
      Null = { "aws:TagKeys" = "false" }
    }
  }

  read_own_row = {
    Sid      = "ReadItsOwnRow"
    Effect   = "Allow"
    Action   = "dynamodb:GetItem"
    Resource = var.runner_table_arns
    Condition = {
      "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = ["$${aws:userid}"] }
      Null                        = { "dynamodb:LeadingKeys" = "false" }
    }
  }
}

resource "aws_iam_role_policy" "agent" {
  name = "reprise-agent"
  role = var.role_name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.tag_itself], length(var.runner_table_arns) > 0 ? [local.read_own_row] : [])
  })
}

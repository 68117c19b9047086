# What the controller launches instances from, and all that they may do.

data "aws_region" "current" {}

locals {
  regions = concat([data.aws_region.current.region], var.more_regions)

  # Of the same name in each region. Only the first one is made here.
  tables = flatten([
    for arn in aws_dynamodb_table.runners[*].arn : concat(
      [arn],
      [for region in var.more_regions : replace(arn, ":${data.aws_region.current.region}:", ":${region}:")],
    )
  ])
}

resource "aws_iam_role" "runner" {
  name                 = "${var.name}-runner"
  description          = "Runners of the stack ${var.name}. Every job has these rights: give it none."
  max_session_duration = 3600
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

module "agent" {
  source = "../agent"

  role_name         = aws_iam_role.runner.name
  tag_prefix        = var.tag_prefix
  regions           = local.regions
  runner_table_arns = local.tables
}

resource "aws_iam_instance_profile" "runner" {
  name = "${var.name}-runner"
  role = aws_iam_role.runner.name
  tags = var.tags
}

# Jobs reach where they want, and nobody reaches them.
resource "aws_security_group" "runner" {
  #checkov:skip=CKV2_AWS_5:The launch template attaches it.
  name_prefix = "${var.name}-runner-"
  description = "Runners of the stack ${var.name}: nothing comes in"
  vpc_id      = var.vpc_id
  tags        = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_egress_rule" "everywhere" {
  for_each = { v4 = { cidr_ipv4 = "0.0.0.0/0", cidr_ipv6 = null }, v6 = { cidr_ipv4 = null, cidr_ipv6 = "::/0" } }

  #checkov:skip=CKV_AWS_382:Where a job may connect to is its owner's affair; a narrower rule belongs to the subnets.
  security_group_id = aws_security_group.runner.id
  description       = "Jobs connect to what they need"
  ip_protocol       = "-1"
  cidr_ipv4         = each.value.cidr_ipv4
  cidr_ipv6         = each.value.cidr_ipv6
}

resource "aws_launch_template" "runner" {
  name                                 = "${var.name}-runner"
  description                          = "Runners of the stack ${var.name}"
  image_id                             = var.image_id
  update_default_version               = true
  instance_initiated_shutdown_behavior = "terminate"
  user_data                            = var.user_data == null ? null : base64encode(var.user_data)
  vpc_security_group_ids               = [aws_security_group.runner.id]
  tags                                 = var.tags

  iam_instance_profile {
    arn = aws_iam_instance_profile.runner.arn
  }

  # With one hop no container of a job gets the instance's credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }

  block_device_mappings {
    device_name = var.root_device

    ebs {
      encrypted             = true
      delete_on_termination = true
      volume_type           = "gp3"
      volume_size           = var.volume_size
    }
  }
}

resource "aws_dynamodb_table" "runners" {
  count = var.table_name == null ? 0 : 1

  #checkov:skip=CKV_AWS_28:A row lives an hour and is a secret: no backup must keep it.
  #checkov:skip=CKV_AWS_119:Encrypted with a key that AWS owns; with another one, every job would need rights to the key.
  name         = var.table_name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  tags         = var.tags

  attribute {
    name = "pk"
    type = "S"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }
}

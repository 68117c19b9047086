mock_provider "aws" {
  source = "../../checks/mocks"
}

override_resource {
  target = aws_iam_role.runner
  values = {
    arn       = "arn:aws:iam::123456789012:role/production-runner"
    unique_id = "AROAEXAMPLEEXAMPLE123"
  }
}

run "launches_instances_that_keep_their_credentials_to_themselves" {
  assert {
    condition     = aws_launch_template.runner.metadata_options[0].http_tokens == "required"
    error_message = "IMDSv2 is required."
  }

  assert {
    condition     = aws_launch_template.runner.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "No container of a job reaches the metadata service."
  }

  assert {
    condition     = aws_launch_template.runner.instance_initiated_shutdown_behavior == "terminate"
    error_message = "An instance that shuts itself down is gone."
  }

  assert {
    condition     = alltrue([for device in aws_launch_template.runner.block_device_mappings : device.ebs[0].encrypted == "true" && device.ebs[0].delete_on_termination == "true"])
    error_message = "Volumes are encrypted, and end with their instances."
  }

  assert {
    condition     = aws_launch_template.runner.iam_instance_profile[0].arn == aws_iam_instance_profile.runner.arn
    error_message = "The instances have the profile."
  }

  assert {
    condition     = aws_iam_instance_profile.runner.role == aws_iam_role.runner.name
    error_message = "The profile has the role."
  }

  assert {
    condition     = aws_launch_template.runner.vpc_security_group_ids == toset([aws_security_group.runner.id])
    error_message = "The instances have the security group, and no other."
  }

  assert {
    condition     = aws_launch_template.runner.update_default_version
    error_message = "The controller launches the default version, which is the newest."
  }
}

run "lets_nothing_in" {
  variables {
    table_name = "production-runners"
  }

  # A rule for what comes in would be a resource of its own, which `terraform test` cannot find: the command that
  # checks these modules looks for one. Here it is the group itself.
  assert {
    condition     = length(aws_security_group.runner.ingress) == 0
    error_message = "Nothing comes in."
  }

  assert {
    condition     = aws_dynamodb_table.runners[0].name == "production-runners" && output.table_name == "production-runners"
    error_message = "The runner table has its name."
  }
}

run "hands_configurations_over_through_a_table_that_forgets" {
  assert {
    condition     = aws_dynamodb_table.runners[0].hash_key == "pk" && one(aws_dynamodb_table.runners[0].attribute).type == "S"
    error_message = "The key is the text pk."
  }

  assert {
    condition     = one(aws_dynamodb_table.runners[0].ttl).enabled && one(aws_dynamodb_table.runners[0].ttl).attribute_name == "ttl"
    error_message = "Rows expire."
  }

  assert {
    condition     = length(aws_dynamodb_table.runners[0].point_in_time_recovery) == 0
    error_message = "No backup keeps a row."
  }

  assert {
    condition     = output.role_id == "AROAEXAMPLEEXAMPLE123"
    error_message = "Controller and agent hear the role's unique id."
  }
}

run "lets_instances_of_more_regions_tag_themselves_and_read_their_rows_there" {
  variables {
    more_regions = ["us-east-1"]
  }

  # What the policy allows, checks/permissions.py holds it to.
  assert {
    condition     = length(aws_dynamodb_table.runners) == 1
    error_message = "One table is made, in this region."
  }
}

run "refuses_a_zone_for_a_region" {
  command = plan

  variables {
    more_regions = ["us-east-1a"]
  }

  expect_failures = [var.more_regions]
}

run "needs_no_table" {
  variables {
    table_name = null
  }

  assert {
    condition     = length(aws_dynamodb_table.runners) == 0 && output.table_arn == null
    error_message = "Without a name there is no table."
  }
}

run "takes_user_data_as_text" {
  variables {
    user_data = "#!/bin/sh\ntrue\n"
  }

  assert {
    condition     = base64decode(aws_launch_template.runner.user_data) == "#!/bin/sh\ntrue\n"
    error_message = "EC2 wants it in base64."
  }
}

run "refuses_a_name_with_capitals" {
  command = plan

  variables {
    name = "Production"
  }

  expect_failures = [var.name]
}

run "refuses_an_image_by_its_name" {
  command = plan

  variables {
    image_id = "ubuntu24"
  }

  expect_failures = [var.image_id]
}

run "refuses_a_vpc_by_its_name" {
  command = plan

  variables {
    vpc_id = "main"
  }

  expect_failures = [var.vpc_id]
}

run "refuses_a_device_without_its_path" {
  command = plan

  variables {
    root_device = "xvda"
  }

  expect_failures = [var.root_device]
}

run "refuses_a_volume_of_nothing" {
  command = plan

  variables {
    volume_size = 0
  }

  expect_failures = [var.volume_size]
}

run "refuses_a_table_without_a_name" {
  command = plan

  variables {
    table_name = ""
  }

  expect_failures = [var.table_name]
}

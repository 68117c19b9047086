mock_provider "aws" {
  source = "../../checks/mocks"
}

run "tags_itself_with_one_key_and_reads_its_own_row" {
  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.agent.policy).Statement : statement.Action] == ["ec2:CreateTags", "dynamodb:GetItem"]
    error_message = "An instance has two rights."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.agent.policy).Statement[0].Resource == ["arn:aws:ec2:eu-west-1:123456789012:instance/*"]
    error_message = "It tags instances of its region and account."
  }
}

run "only_tags_itself_where_there_is_no_runner_table" {
  variables {
    runner_table_arns = []
    regions           = ["eu-west-1", "us-east-1"]
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.agent.policy).Statement : statement.Action] == ["ec2:CreateTags"]
    error_message = "Without a table there is one right."
  }

  assert {
    condition     = length(jsondecode(aws_iam_role_policy.agent.policy).Statement[0].Resource) == 2
    error_message = "It may run in each of the regions."
  }
}

run "the_tags_key_follows_the_prefix" {
  variables {
    tag_prefix = "x-"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.agent.policy).Statement[0].Condition["ForAllValues:StringEquals"]["aws:TagKeys"] == ["x-workflow-job-interrupted"]
    error_message = "The key is the agent's."
  }
}

run "refuses_an_arn_for_a_name" {
  command = plan

  variables {
    role_name = "arn:aws:iam::123456789012:role/runners"
  }

  expect_failures = [var.role_name]
}

run "refuses_a_zone_for_a_region" {
  command = plan

  variables {
    regions = ["eu-west-1a"]
  }

  expect_failures = [var.regions]
}

run "refuses_the_prefix_of_aws" {
  command = plan

  variables {
    tag_prefix = "aws:"
  }

  expect_failures = [var.tag_prefix]
}

run "refuses_all_tables" {
  command = plan

  variables {
    runner_table_arns = ["arn:aws:dynamodb:eu-west-1:123456789012:table/*"]
  }

  expect_failures = [var.runner_table_arns]
}

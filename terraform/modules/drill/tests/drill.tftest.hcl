mock_provider "aws" {
  source = "../../checks/mocks"
}

run "takes_one_marked_spot_instance_of_the_stack_with_the_usual_notice" {
  command = apply

  assert {
    condition     = one(aws_fis_experiment_template.interruption.action).action_id == "aws:ec2:send-spot-instance-interruptions"
    error_message = "It is EC2's own interruption."
  }

  assert {
    condition     = one(one(aws_fis_experiment_template.interruption.action).parameter) == { key = "durationBeforeInterruption", value = "PT2M" }
    error_message = "There are two minutes, as there are without a drill."
  }

  assert {
    condition     = one(aws_fis_experiment_template.interruption.target).resource_type == "aws:ec2:spot-instance" && one(aws_fis_experiment_template.interruption.target).selection_mode == "COUNT(1)"
    error_message = "One spot instance is taken."
  }

  assert {
    condition     = { for tag in one(aws_fis_experiment_template.interruption.target).resource_tag : tag.key => tag.value } == { "runs-on-stack-name" = "production", "reprise-drill" = "true" }
    error_message = "It bears the stack's tag and the mark."
  }

  assert {
    condition     = one(one(aws_fis_experiment_template.interruption.target).filter) == { path = "State.Name", values = toset(["running"]) }
    error_message = "It runs."
  }

  assert {
    condition     = output.template_id == aws_fis_experiment_template.interruption.id
    error_message = "The command hears of the template."
  }
}

run "knows_the_stack_by_another_prefix" {
  command = apply

  variables {
    tag_prefix = "ci-"
  }

  assert {
    condition     = contains([for tag in one(aws_fis_experiment_template.interruption.target).resource_tag : tag.key], "ci-stack-name")
    error_message = "The stack's tag has the prefix."
  }
}

run "refuses_a_name_that_is_none" {
  command = plan

  variables {
    name = "A Stack"
  }

  expect_failures = [var.name]
}

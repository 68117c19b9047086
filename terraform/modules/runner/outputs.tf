output "launch_template_id" {
  description = "The launch template's id: [fleet] launch_template."
  value       = aws_launch_template.runner.id
}

output "role_arn" {
  description = "The ARN of the instances' role, which the controller passes on."
  value       = aws_iam_role.runner.arn
}

output "role_id" {
  description = "The unique id of the instances' role: [runner] role_id of controller and agent."
  value       = aws_iam_role.runner.unique_id
}

output "table_name" {
  description = "The runner table's name: [runner] table of controller and agent; null without one."
  value       = one(aws_dynamodb_table.runners[*].name)
}

output "table_arn" {
  description = "The runner table's ARN; null without one."
  value       = one(aws_dynamodb_table.runners[*].arn)
}

output "security_group_id" {
  description = "The instances' security group."
  value       = aws_security_group.runner.id
}

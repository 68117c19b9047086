output "cluster_name" {
  description = "The ECS cluster's name."
  value       = aws_ecs_cluster.this.name
}

output "service_name" {
  description = "The ECS service's name."
  value       = aws_ecs_service.controller.name
}

output "role_arn" {
  description = "The role that a controller has: for roles of other accounts that it takes on, and for functions that it asks."
  value       = aws_iam_role.controller.arn
}

output "security_group_id" {
  description = "The controllers' security group."
  value       = aws_security_group.controller.id
}

output "log_group_name" {
  description = "The controllers' log group."
  value       = aws_cloudwatch_log_group.controller.name
}

output "webhook_url" {
  description = "The webhook address for the GitHub App."
  value       = module.ingress.webhook_url
}

output "drill_template_id" {
  description = "The template of `reprise interrupt`."
  value       = module.drill.template_id
}

output "drill_operator_policy_arn" {
  description = "The policy of whoever may call `reprise interrupt`."
  value       = module.drill.operator_policy_arn
}

output "log_group_name" {
  description = "Where the controllers' log is."
  value       = module.controller.log_group_name
}

output "webhook_url" {
  description = "The webhook address for the GitHub App."
  value       = module.ingress.webhook_url
}

output "log_group_name" {
  description = "Where the controllers' log is."
  value       = module.controller.log_group_name
}

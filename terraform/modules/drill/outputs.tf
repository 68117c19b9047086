output "template_id" {
  description = "The experiment template's id: --template of `reprise interrupt`."
  value       = aws_fis_experiment_template.interruption.id
}

output "operator_policy_arn" {
  description = "The policy of whoever may call `reprise interrupt`."
  value       = aws_iam_policy.operator.arn
}

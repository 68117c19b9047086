output "policy_json" {
  description = "The policy, for those who keep their roles elsewhere."
  value       = aws_iam_role_policy.agent.policy
}

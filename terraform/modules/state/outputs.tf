output "table_name" {
  description = "The ledger's name: [store] table."
  value       = aws_dynamodb_table.ledger.name
}

output "table_arn" {
  description = "The ledger's ARN."
  value       = aws_dynamodb_table.ledger.arn
}

output "kms_key_arn" {
  description = "The key of your own that encrypts the ledger, or null; the controller must be allowed to use it."
  value       = var.kms_key_arn
}

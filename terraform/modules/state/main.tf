# The ledger. The controller checks at its start that key, index and expiry are as they stand here.

resource "aws_dynamodb_table" "ledger" {
  #checkov:skip=CKV_AWS_119:Encrypted with a key that AWS owns unless kms_key_arn names another; a key of one's own costs by the call.
  name                        = var.table_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "q"
    type = "S"
  }

  attribute {
    name = "due"
    type = "N"
  }

  # What is due, in the order of its time; a record that waits for nothing is not in it.
  global_secondary_index {
    name               = "due"
    hash_key           = "q"
    range_key          = "due"
    projection_type    = "INCLUDE"
    non_key_attributes = ["ttl"]
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  # DynamoDB always encrypts. `enabled = false` would mean the key that AWS owns, `true` without a key AWS's managed one.
  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }
}

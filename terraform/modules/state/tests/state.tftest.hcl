mock_provider "aws" {
  source = "../../checks/mocks"
}

run "is_the_table_that_the_controller_checks_for" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.ledger.hash_key == "pk" && aws_dynamodb_table.ledger.range_key == null
    error_message = "The key is pk alone."
  }

  assert {
    condition     = { for attribute in aws_dynamodb_table.ledger.attribute : attribute.name => attribute.type } == { pk = "S", q = "S", due = "N" }
    error_message = "The keys' types are text, text and number."
  }

  assert {
    condition = [
      for index in aws_dynamodb_table.ledger.global_secondary_index :
      [index.name, index.hash_key, index.range_key, index.projection_type, join(",", index.non_key_attributes)]
    ] == [["due", "q", "due", "INCLUDE", "ttl"]]
    error_message = "What is due is found by its index."
  }
}

run "costs_by_the_call_expires_and_can_be_brought_back" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.ledger.billing_mode == "PAY_PER_REQUEST"
    error_message = "It is on demand."
  }

  assert {
    condition     = one(aws_dynamodb_table.ledger.ttl).enabled && one(aws_dynamodb_table.ledger.ttl).attribute_name == "ttl"
    error_message = "Records expire by ttl."
  }

  assert {
    condition     = one(aws_dynamodb_table.ledger.point_in_time_recovery).enabled
    error_message = "Any minute of the last days can be brought back."
  }

  assert {
    condition     = aws_dynamodb_table.ledger.deletion_protection_enabled
    error_message = "It is not deleted by accident."
  }
}

run "leaves_encryption_to_the_key_that_aws_owns" {
  command = plan

  assert {
    condition     = length(aws_dynamodb_table.ledger.server_side_encryption) == 0 && output.kms_key_arn == null
    error_message = "Without a key of one's own no key is paid for."
  }
}

run "encrypts_with_a_key_of_ones_own" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition     = one(aws_dynamodb_table.ledger.server_side_encryption).enabled && one(aws_dynamodb_table.ledger.server_side_encryption).kms_key_arn == var.kms_key_arn
    error_message = "The key that is named encrypts."
  }

  assert {
    condition     = output.kms_key_arn == var.kms_key_arn
    error_message = "The controller hears of the key."
  }
}

run "refuses_a_keys_alias" {
  command = plan

  variables {
    kms_key_arn = "alias/reprise"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_a_name_that_dynamodb_refuses" {
  command = plan

  variables {
    table_name = "a table"
  }

  expect_failures = [var.table_name]
}

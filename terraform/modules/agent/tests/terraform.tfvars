role_name         = "runners"
runner_table_arns = ["arn:aws:dynamodb:eu-west-1:123456789012:table/reprise-runners"]

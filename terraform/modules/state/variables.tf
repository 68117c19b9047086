variable "table_name" {
  description = "The name of the ledger's table: [store] table of the controller."
  type        = string
  default     = "reprise"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table_name))
    error_message = "table_name has 3 to 255 letters, digits and _.-."
  }
}

variable "kms_key_arn" {
  description = "A key of your own that encrypts the table. Without one it is encrypted with a key that AWS owns, for nothing."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn is a key's ARN, no alias."
  }
}

variable "deletion_protection" {
  description = "Whether the table must not be deleted."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

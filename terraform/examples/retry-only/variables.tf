variable "region" {
  description = "Where everything runs."
  type        = string
  default     = "eu-west-1"
}

variable "name" {
  description = "The stack's name."
  type        = string
  default     = "reprise"
}

variable "fleet_role_name" {
  description = "The role that the other fleet's instances have."
  type        = string
}

variable "name_pattern" {
  description = "A regular expression over the other fleet's runner names with the group instance, and perhaps region."
  type        = string
  default     = "^runs-on--(?<instance>i-[0-9a-f]+)--"
}

variable "controller_image" {
  description = "The controller's container image, with a tag or a digest."
  type        = string
}

variable "controller_repository_arn" {
  description = "The ECR repository of that image; null for a public image."
  type        = string
  default     = null
}

variable "vpc_id" {
  description = "The controllers' VPC."
  type        = string
}

variable "controller_subnets" {
  description = "Subnets with a way out, for controllers."
  type        = list(string)
}

variable "github_app_id" {
  description = "The GitHub App's id."
  type        = number
}

variable "github_private_key_arn" {
  description = "The secret that holds the App's private key."
  type        = string
}

variable "github_webhook_secret_arn" {
  description = "The secret that holds the App's webhook secret."
  type        = string
}

variable "github_repositories" {
  description = "What is served, as [\"acme/*\"]."
  type        = list(string)
}

variable "alarm_topic_arns" {
  description = "SNS topics that hear of alarms."
  type        = list(string)
  default     = []
}

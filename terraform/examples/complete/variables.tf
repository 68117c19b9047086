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

variable "controller_image" {
  description = "The controller's container image, with a tag or a digest."
  type        = string
}

variable "controller_repository_arn" {
  description = "The ECR repository of that image; null for a public image."
  type        = string
  default     = null
}

variable "runner_image_id" {
  description = "The AMI of the runners, with the agent and GitHub's runner in it."
  type        = string
}

variable "vpc_id" {
  description = "The VPC of controllers and runners."
  type        = string
}

variable "controller_subnets" {
  description = "Subnets with a way out, for controllers."
  type        = list(string)
}

variable "runner_subnets" {
  description = "Subnets with a way out, one a zone, for runners."
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

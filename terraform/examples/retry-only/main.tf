# Beside a runner fleet that is there already: interrupted jobs come back, and nothing is launched or ended. On the
# fleet's instances the agent runs without its section [runner].

provider "aws" {
  region = var.region

  default_tags {
    tags = { stack = var.name }
  }
}

module "agent" {
  source = "../../modules/agent"

  role_name = var.fleet_role_name
}

module "ingress" {
  source = "../../modules/ingress"

  name = var.name
}

module "state" {
  source = "../../modules/state"

  table_name = var.name
}

module "controller" {
  source = "../../modules/controller"

  name                 = var.name
  image                = var.controller_image
  image_repository_arn = var.controller_repository_arn
  vpc_id               = var.vpc_id
  subnets              = var.controller_subnets
  queues               = module.ingress.queues
  settings             = { RUNNER__NAME_PATTERN = var.name_pattern }
  alarm_topic_arns     = var.alarm_topic_arns

  github = {
    app_id             = var.github_app_id
    private_key_arn    = var.github_private_key_arn
    webhook_secret_arn = var.github_webhook_secret_arn
    repositories       = var.github_repositories
  }

  ledger = {
    name = module.state.table_name
    arn  = module.state.table_arn
  }
}

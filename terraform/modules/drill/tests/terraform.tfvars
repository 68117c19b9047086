name = "production"

table_name = "reprise"

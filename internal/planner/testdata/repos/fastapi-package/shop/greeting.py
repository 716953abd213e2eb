greeting = "served by fastapi"

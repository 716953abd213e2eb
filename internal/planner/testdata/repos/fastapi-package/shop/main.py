from fastapi import FastAPI

from shop.greeting import greeting

app = FastAPI(title="shop")


@app.get("/")
async def home():
    return {"message": greeting}

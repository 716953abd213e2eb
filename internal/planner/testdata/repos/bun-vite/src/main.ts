const greeting: string = "hello";
document.querySelector("#app")!.textContent = greeting;

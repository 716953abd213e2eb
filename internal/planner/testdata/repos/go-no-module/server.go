package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/old/hello/greeting"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, greeting.Text()) })
	log.Fatal(http.ListenAndServe(":"+port(), nil))
}

func port() string {
	if port := os.Getenv("PORT"); port != "" {
		return port
	}
	return "8080"
}

package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "tools-only-manifest") })
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}

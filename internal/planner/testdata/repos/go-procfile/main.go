package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	greeting := flag.String("greeting", "", "what to say")
	flag.Parse()
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, *greeting) })
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}

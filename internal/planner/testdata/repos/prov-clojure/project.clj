(defproject hello "0.1.0"
  :main hello.core)

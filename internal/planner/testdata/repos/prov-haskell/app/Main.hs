main = putStrLn "hi"

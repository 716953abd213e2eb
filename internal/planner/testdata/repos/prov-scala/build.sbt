name := "shop"
enablePlugins(JavaAppPackaging)

defmodule Shop.MixProject do
  use Mix.Project
  def project, do: [app: :shop, elixir: "~> 1.14"]
  defp deps, do: [{:ecto_sql, "~> 3.6"}, {:postgrex, ">= 0.0.0"}]
end

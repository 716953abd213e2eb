// Package planner turns a checkout into a deployment.Plan and the Dockerfile that is built from it.
//
// Three builders: a repository's own Dockerfile, used as it is; nixpacks, whose plan comes from the real CLI and whose
// Dockerfile is rendered here (Render is a pure function of the plan, so what is stored is what is built); and a folder
// of static files. A repository is hostile until proven otherwise: nothing of it is executed, no symlink of it leads out
// of its root directory, the CLI runs with a cleared environment on a private copy, and every string that reaches a
// Dockerfile is checked and quoted.
package planner

// Makes the files that Vite makes of a page, where the target says.
const { cpSync } = require('node:fs')
const { join } = require('node:path')

exports.default = async (options, context) => {
  const { root } = context.projectsConfigurations.projects[context.projectName]
  cpSync(join(context.root, root, 'index.html'), join(context.root, options.outputPath, 'index.html'))
  return { success: true }
}

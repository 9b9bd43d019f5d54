// compile.cjs KSY FOLDER: compile a Kaitai Struct description to Python, as its command line would.
const fs = require("fs");
const path = require("path");
const yaml = require("js-yaml");
const compiler = require("kaitai-struct-compiler");

const [description, folder] = process.argv.slice(2);
compiler.compile("python", yaml.load(fs.readFileSync(description, "utf8")), null, false).then(
  (files) => Object.entries(files).forEach(([name, text]) => fs.writeFileSync(path.join(folder, name), text)),
  (error) => {
    console.error(String(error));
    process.exit(1);
  },
);

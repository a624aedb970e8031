// Prints the JSON schemas of the Kubernetes API as one object, name to schema.
//
//   node kubernetes_schemas.js NODE_MODULES
//
// The package kubernetes-models has them as modules that hand their schema to a validator; this is
// the validator, and all it does is to keep what it is given. Their text is what the Kubernetes
// project publishes as OpenAPI.
"use strict";

const fs = require("fs");
const path = require("path");
const Module = require("module");

const modules = path.resolve(process.argv[2]);
const schemas = {};
const load = Module._load;

Module._load = function (name, ...rest) {
    if (name === "@kubernetes-models/validate")
        return { register: (id, schema) => { schemas[id] = schema; } };
    return load.call(this, name, ...rest);
};

for (const folder of ["kubernetes-models", "@kubernetes-models/apimachinery"]) {
    const at = path.join(modules, folder, "_schemas");
    for (const name of fs.readdirSync(at).filter((one) => one.endsWith(".js")))
        require(path.join(at, name)).addSchema();
}
process.stdout.write(JSON.stringify(schemas));

export { LabVerbs, WITNESS_NAME } from "../../lab/verbs";

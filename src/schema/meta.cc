// The metaschemas that a schema may refer to, as published at https://json-schema.org (draft 2020-12 and draft-07;
// Copyright IETF Trust and the JSON Schema authors, AFL or BSD licence).

#include "schema/compile.h"

namespace assay::json_schema {

// clang-format off
const std::vector<std::string_view>& MetaschemaTexts() {
  static const std::vector<std::string_view> texts = {
      R"META({"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://json-schema.org/draft/2020-)META"
      R"META(12/schema","$vocabulary":{"https://json-schema.org/draft/2020-12/vocab/core":true,"https://json-sche)META"
      R"META(ma.org/draft/2020-12/vocab/applicator":true,"https://json-schema.org/draft/2020-12/vocab/unevaluated)META"
      R"META(":true,"https://json-schema.org/draft/2020-12/vocab/validation":true,"https://json-schema.org/draft/)META"
      R"META(2020-12/vocab/meta-data":true,"https://json-schema.org/draft/2020-12/vocab/format-annotation":true,")META"
      R"META(https://json-schema.org/draft/2020-12/vocab/content":true},"$dynamicAnchor":"meta","title":"Core and)META"
      R"META( Validation specifications meta-schema","allOf":[{"$ref":"meta/core"},{"$ref":"meta/applicator"},{"$)META"
      R"META(ref":"meta/unevaluated"},{"$ref":"meta/validation"},{"$ref":"meta/meta-data"},{"$ref":"meta/format-a)META"
      R"META(nnotation"},{"$ref":"meta/content"}],"type":["object","boolean"],"$comment":"This meta-schema also d)META"
      R"META(efines keywords that have appeared in previous drafts in order to prevent incompatible extensions as)META"
      R"META( they remain in common use.","properties":{"definitions":{"$comment":"\"definitions\" has been repla)META"
      R"META(ced by \"$defs\".","type":"object","additionalProperties":{"$dynamicRef":"#meta"},"deprecated":true,)META"
      R"META("default":{}},"dependencies":{"$comment":"\"dependencies\" has been split and replaced by \"dependen)META"
      R"META(tSchemas\" and \"dependentRequired\" in order to serve their differing semantics.","type":"object",")META"
      R"META(additionalProperties":{"anyOf":[{"$dynamicRef":"#meta"},{"$ref":"meta/validation#/$defs/stringArray")META"
      R"META(}]},"deprecated":true,"default":{}},"$recursiveAnchor":{"$comment":"\"$recursiveAnchor\" has been re)META"
      R"META(placed by \"$dynamicAnchor\".","$ref":"meta/core#/$defs/anchorString","deprecated":true},"$recursive)META"
      R"META(Ref":{"$comment":"\"$recursiveRef\" has been replaced by \"$dynamicRef\".","$ref":"meta/core#/$defs/)META"
      R"META(uriReferenceString","deprecated":true}}})META",
      R"META({"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://json-schema.org/draft/2020-)META"
      R"META(12/meta/core","$vocabulary":{"https://json-schema.org/draft/2020-12/vocab/core":true},"$dynamicAncho)META"
      R"META(r":"meta","title":"Core vocabulary meta-schema","type":["object","boolean"],"properties":{"$id":{"$r)META"
      R"META(ef":"#/$defs/uriReferenceString","$comment":"Non-empty fragments not allowed.","pattern":"^[^#]*#?$")META"
      R"META(},"$schema":{"$ref":"#/$defs/uriString"},"$ref":{"$ref":"#/$defs/uriReferenceString"},"$anchor":{"$r)META"
      R"META(ef":"#/$defs/anchorString"},"$dynamicRef":{"$ref":"#/$defs/uriReferenceString"},"$dynamicAnchor":{"$)META"
      R"META(ref":"#/$defs/anchorString"},"$vocabulary":{"type":"object","propertyNames":{"$ref":"#/$defs/uriStri)META"
      R"META(ng"},"additionalProperties":{"type":"boolean"}},"$comment":{"type":"string"},"$defs":{"type":"object)META"
      R"META(","additionalProperties":{"$dynamicRef":"#meta"}}},"$defs":{"anchorString":{"type":"string","pattern)META"
      R"META(":"^[A-Za-z_][-A-Za-z0-9._]*$"},"uriString":{"type":"string","format":"uri"},"uriReferenceString":{")META"
      R"META(type":"string","format":"uri-reference"}}})META",
      R"META({"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://json-schema.org/draft/2020-)META"
      R"META(12/meta/applicator","$vocabulary":{"https://json-schema.org/draft/2020-12/vocab/applicator":true},"$)META"
      R"META(dynamicAnchor":"meta","title":"Applicator vocabulary meta-schema","type":["object","boolean"],"prope)META"
      R"META(rties":{"prefixItems":{"$ref":"#/$defs/schemaArray"},"items":{"$dynamicRef":"#meta"},"contains":{"$d)META"
      R"META(ynamicRef":"#meta"},"additionalProperties":{"$dynamicRef":"#meta"},"properties":{"type":"object","ad)META"
      R"META(ditionalProperties":{"$dynamicRef":"#meta"},"default":{}},"patternProperties":{"type":"object","addi)META"
      R"META(tionalProperties":{"$dynamicRef":"#meta"},"propertyNames":{"format":"regex"},"default":{}},"dependen)META"
      R"META(tSchemas":{"type":"object","additionalProperties":{"$dynamicRef":"#meta"},"default":{}},"propertyNam)META"
      R"META(es":{"$dynamicRef":"#meta"},"if":{"$dynamicRef":"#meta"},"then":{"$dynamicRef":"#meta"},"else":{"$dy)META"
      R"META(namicRef":"#meta"},"allOf":{"$ref":"#/$defs/schemaArray"},"anyOf":{"$ref":"#/$defs/schemaArray"},"on)META"
      R"META(eOf":{"$ref":"#/$defs/schemaArray"},"not":{"$dynamicRef":"#meta"}},"$defs":{"schemaArray":{"type":"a)META"
      R"META(rray","minItems":1,"items":{"$dynamicRef":"#meta"}}}})META",
      R"META({"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://json-schema.org/draft/2020-)META"
      R"META(12/meta/unevaluated","$vocabulary":{"https://json-schema.org/draft/2020-12/vocab/unevaluated":true},)META"
      R"META("$dynamicAnchor":"meta","title":"Unevaluated applicator vocabulary meta-schema","type":["object","bo)META"
      R"META(olean"],"properties":{"unevaluatedItems":{"$dynamicRef":"#meta"},"unevaluatedProperties":{"$dynamicR)META"
      R"META(ef":"#meta"}}})META",
      R"META({"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://json-schema.org/draft/2020-)META"
      R"META(12/meta/validation","$vocabulary":{"https://json-schema.org/draft/2020-12/vocab/validation":true},"$)META"
      R"META(dynamicAnchor":"meta","title":"Validation vocabulary meta-schema","type":["object","boolean"],"prope)META"
      R"META(rties":{"type":{"anyOf":[{"$ref":"#/$defs/simpleTypes"},{"type":"array","items":{"$ref":"#/$defs/sim)META"
      R"META(pleTypes"},"minItems":1,"uniqueItems":true}]},"const":true,"enum":{"type":"array","items":true},"mul)META"
      R"META(tipleOf":{"type":"number","exclusiveMinimum":0},"maximum":{"type":"number"},"exclusiveMaximum":{"typ)META"
      R"META(e":"number"},"minimum":{"type":"number"},"exclusiveMinimum":{"type":"number"},"maxLength":{"$ref":"#)META"
      R"META(/$defs/nonNegativeInteger"},"minLength":{"$ref":"#/$defs/nonNegativeIntegerDefault0"},"pattern":{"ty)META"
      R"META(pe":"string","format":"regex"},"maxItems":{"$ref":"#/$defs/nonNegativeInteger"},"minItems":{"$ref":")META"
      R"META(#/$defs/nonNegativeIntegerDefault0"},"uniqueItems":{"type":"boolean","default":false},"maxContains":)META"
      R"META({"$ref":"#/$defs/nonNegativeInteger"},"minContains":{"$ref":"#/$defs/nonNegativeInteger","default":1)META"
      R"META(},"maxProperties":{"$ref":"#/$defs/nonNegativeInteger"},"minProperties":{"$ref":"#/$defs/nonNegative)META"
      R"META(IntegerDefault0"},"required":{"$ref":"#/$defs/stringArray"},"dependentRequired":{"type":"object","ad)META"
      R"META(ditionalProperties":{"$ref":"#/$defs/stringArray"}}},"$defs":{"nonNegativeInteger":{"type":"integer")META"
      R"META(,"minimum":0},"nonNegativeIntegerDefault0":{"$ref":"#/$defs/nonNegativeInteger","default":0},"simple)META"
      R"META(Types":{"enum":["array","boolean","integer","null","number","object","string"]},"stringArray":{"type)META"
      R"META(":"array","items":{"type":"string"},"uniqueItems":true,"default":[]}}})META",
      R"META({"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://json-schema.org/draft/2020-)META"
      R"META(12/meta/meta-data","$vocabulary":{"https://json-schema.org/draft/2020-12/vocab/meta-data":true},"$dy)META"
      R"META(namicAnchor":"meta","title":"Meta-data vocabulary meta-schema","type":["object","boolean"],"properti)META"
      R"META(es":{"title":{"type":"string"},"description":{"type":"string"},"default":true,"deprecated":{"type":")META"
      R"META(boolean","default":false},"readOnly":{"type":"boolean","default":false},"writeOnly":{"type":"boolean)META"
      R"META(","default":false},"examples":{"type":"array","items":true}}})META",
      R"META({"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://json-schema.org/draft/2020-)META"
      R"META(12/meta/format-annotation","$vocabulary":{"https://json-schema.org/draft/2020-12/vocab/format-annota)META"
      R"META(tion":true},"$dynamicAnchor":"meta","title":"Format vocabulary meta-schema for annotation results",")META"
      R"META(type":["object","boolean"],"properties":{"format":{"type":"string"}}})META",
      R"META({"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://json-schema.org/draft/2020-)META"
      R"META(12/meta/content","$vocabulary":{"https://json-schema.org/draft/2020-12/vocab/content":true},"$dynami)META"
      R"META(cAnchor":"meta","title":"Content vocabulary meta-schema","type":["object","boolean"],"properties":{")META"
      R"META(contentEncoding":{"type":"string"},"contentMediaType":{"type":"string"},"contentSchema":{"$dynamicRe)META"
      R"META(f":"#meta"}}})META",
      R"META({"$schema":"http://json-schema.org/draft-07/schema#","$id":"http://json-schema.org/draft-07/schema#")META"
      R"META(,"title":"Core schema meta-schema","definitions":{"schemaArray":{"type":"array","minItems":1,"items")META"
      R"META(:{"$ref":"#"}},"nonNegativeInteger":{"type":"integer","minimum":0},"nonNegativeIntegerDefault0":{"al)META"
      R"META(lOf":[{"$ref":"#/definitions/nonNegativeInteger"},{"default":0}]},"simpleTypes":{"enum":["array","bo)META"
      R"META(olean","integer","null","number","object","string"]},"stringArray":{"type":"array","items":{"type":")META"
      R"META(string"},"uniqueItems":true,"default":[]}},"type":["object","boolean"],"properties":{"$id":{"type":")META"
      R"META(string","format":"uri-reference"},"$schema":{"type":"string","format":"uri"},"$ref":{"type":"string")META"
      R"META(,"format":"uri-reference"},"$comment":{"type":"string"},"title":{"type":"string"},"description":{"ty)META"
      R"META(pe":"string"},"default":true,"readOnly":{"type":"boolean","default":false},"examples":{"type":"array)META"
      R"META(","items":true},"multipleOf":{"type":"number","exclusiveMinimum":0},"maximum":{"type":"number"},"exc)META"
      R"META(lusiveMaximum":{"type":"number"},"minimum":{"type":"number"},"exclusiveMinimum":{"type":"number"},"m)META"
      R"META(axLength":{"$ref":"#/definitions/nonNegativeInteger"},"minLength":{"$ref":"#/definitions/nonNegative)META"
      R"META(IntegerDefault0"},"pattern":{"type":"string","format":"regex"},"additionalItems":{"$ref":"#"},"items)META"
      R"META(":{"anyOf":[{"$ref":"#"},{"$ref":"#/definitions/schemaArray"}],"default":true},"maxItems":{"$ref":"#)META"
      R"META(/definitions/nonNegativeInteger"},"minItems":{"$ref":"#/definitions/nonNegativeIntegerDefault0"},"un)META"
      R"META(iqueItems":{"type":"boolean","default":false},"contains":{"$ref":"#"},"maxProperties":{"$ref":"#/def)META"
      R"META(initions/nonNegativeInteger"},"minProperties":{"$ref":"#/definitions/nonNegativeIntegerDefault0"},"r)META"
      R"META(equired":{"$ref":"#/definitions/stringArray"},"additionalProperties":{"$ref":"#"},"definitions":{"ty)META"
      R"META(pe":"object","additionalProperties":{"$ref":"#"},"default":{}},"properties":{"type":"object","additi)META"
      R"META(onalProperties":{"$ref":"#"},"default":{}},"patternProperties":{"type":"object","additionalPropertie)META"
      R"META(s":{"$ref":"#"},"propertyNames":{"format":"regex"},"default":{}},"dependencies":{"type":"object","ad)META"
      R"META(ditionalProperties":{"anyOf":[{"$ref":"#"},{"$ref":"#/definitions/stringArray"}]}},"propertyNames":{)META"
      R"META("$ref":"#"},"const":true,"enum":{"type":"array","items":true},"type":{"anyOf":[{"$ref":"#/definition)META"
      R"META(s/simpleTypes"},{"type":"array","items":{"$ref":"#/definitions/simpleTypes"},"minItems":1,"uniqueIte)META"
      R"META(ms":true}]},"format":{"type":"string"},"contentMediaType":{"type":"string"},"contentEncoding":{"type)META"
      R"META(":"string"},"if":{"$ref":"#"},"then":{"$ref":"#"},"else":{"$ref":"#"},"allOf":{"$ref":"#/definitions)META"
      R"META(/schemaArray"},"anyOf":{"$ref":"#/definitions/schemaArray"},"oneOf":{"$ref":"#/definitions/schemaArr)META"
      R"META(ay"},"not":{"$ref":"#"}},"default":true})META",
  };
  return texts;
}
// clang-format on

}  // namespace assay::json_schema

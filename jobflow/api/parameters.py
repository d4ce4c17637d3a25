"""Parameters as users write them: of a flow, of a template, and the arguments between the two.

In: parsed YAML or JSON. Out: pydantic models, from which the CRDs are made. How they are used is in `placeholders.py`;
rules that span fields are in `validate_parameters.py`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]*$"
MAX_NAME_CHARACTERS = 63
TEMPLATE_FIELD = "parameters"  # of a JobTemplate's spec: no Job has it
ANY_JSON = {"x-kubernetes-preserve-unknown-fields": True}

ParameterName = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS, pattern=NAME_PATTERN)]


class ParameterModel(BaseModel):
    """Base of the parameter models."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class ConfigMapKeyRef(ParameterModel):
    """One key of a ConfigMap in the flow's namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253, description="Name of the ConfigMap.")]
    key: Annotated[str, Field(min_length=1, max_length=253, description="The key in its data.")]
    optional: Annotated[
        bool | None,
        Field(
            description="Where the ConfigMap or the key is not there, go on with `value`, or with the empty text where "
            "there is none. Default false: a step that needs it waits for it, unless there is a `value`."
        ),
    ] = None


class ValueFrom(ParameterModel):
    """Where a value is read, in place of being written here."""

    config_map_key_ref: Annotated[
        ConfigMapKeyRef,
        Field(alias="configMapKeyRef", description="A key of a ConfigMap in the flow's namespace."),
    ]


class TemplateParameter(ParameterModel):
    """A value that a JobTemplate leaves open: `$(params.<name>)` in its texts stands for it."""

    name: Annotated[ParameterName, Field(description="Name of the parameter, unique in the list.")]
    value: Annotated[
        Any | None,
        Field(
            description="Its value where nothing else says one: text, number, boolean, list or mapping. Without it the "
            "value has to be given.",
            json_schema_extra=ANY_JSON,
        ),
    ] = None
    enum: Annotated[
        list[Annotated[Any, Field(json_schema_extra=ANY_JSON)]] | None,
        Field(min_length=1, description="The values that are allowed; any where it is left out."),
    ] = None
    description: Annotated[str | None, Field(description="What it is for, for people.")] = None


class Parameter(TemplateParameter):
    """A value of the flow: `$(params.<name>)` in the arguments and patches of its steps stands for it."""

    value_from: Annotated[
        ValueFrom | None,
        Field(alias="valueFrom", description="Where the value is read when a step first needs it."),
    ] = None


class Argument(ParameterModel):
    """What a step gives for a parameter of its template."""

    name: Annotated[ParameterName, Field(description="Name of the template's parameter.")]
    value: Annotated[
        Any,
        Field(
            description="The value: text, number, boolean, list or mapping. It may hold $(params.<name>) of the flow, "
            "$(steps.<step>.outputs.<output>) and $(context.<name>).",
            json_schema_extra=ANY_JSON,
        ),
    ]

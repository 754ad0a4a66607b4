"""Serving answers as tables, JSON, charts and launch lines."""

from exaplan.report.serving.page import served_report as served_report
from exaplan.report.serving.to_json import served_json as served_json
from exaplan.report.serving.view import served_view as served_view

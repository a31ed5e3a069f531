"""From a mask to a line that can be drawn on, verified, compared and handed over.

Geometry lives in shapely, in the metres of a projected coordinate system; nothing here knows a
window. Times are UTC.

What a window or a command calls:

- `making.make_proposal` turns a probability into a `Proposal`; `opening.draft_around` and
  `scenes.draft_on_scene` do it for a raster file and an open scene and return a document with it,
  `opening.draft_from` takes an outline that `importing.read_perimeters` read.
- `document.PerimeterDocument` keeps objects (`heat.Feature` of a `heat.HeatClass`), attributes
  (`schema`), review state (`review`), undo (``document.history``) and the audit trail (`audit`).
  It says ``changed`` after each change. Its ways to change: ``replace``, ``edit_stretch``, ``add``,
  ``remove``, ``describe``, ``to_review``, ``waive``, ``verify``, ``supersede``.
- `stretch` takes some hundred vertices near the cursor out of a long line and puts them back;
  `editing` splits, merges, cuts islands, keeps growth only.
- `checks.run_checks` lists what must be cleared or waived before ``verify``.
- `journal.save` and `journal.load` keep a document in a file; a `journal.Journal` puts each
  change on disk at once, and ``load`` replays it after a kill.
- `acreage.acreage` measures; `comparison.compare` and `comparing.compare_files` compare two lines;
  `progression.growth_series` tells days by the 06:00 rule.
- `deliverables.deliver.deliver` hands everything over in one action, a set of checked files;
  `deliverables.naming.file_names` previews their names.
"""

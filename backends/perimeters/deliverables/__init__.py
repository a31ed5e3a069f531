"""Everything that incident command needs of a perimeter, in one action.

`deliver.deliver` writes the whole set into a folder: GeoPackage, zipped shapefile, KMZ, GeoJSON,
maps as georeferenced PDF, the infrared log and checksums. `naming.file_names` previews the names.
Each product is opened again and compared with the document before any of them appears.
"""

// dynalite, and ReturnValuesOnConditionCheckFailure (ALL_OLD), which it lacks: an update that
// is refused shows the item that refused it.
const db = require('dynalite/db')
const update = require('dynalite/validations/updateItem')

update.types.ReturnValuesOnConditionCheckFailure = { type: 'String', enum: ['ALL_OLD', 'NONE'] }

const check = db.checkConditional
db.checkConditional = (data, item) => {
  const refused = check(data, item)
  if (refused && item && data.ReturnValuesOnConditionCheckFailure === 'ALL_OLD') {
    refused.body.Item = item
  }
  return refused
}
require('dynalite/cli.js')
